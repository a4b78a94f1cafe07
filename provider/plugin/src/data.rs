//! What can be asked without changing anything: which proven images there are, and whether a server is ready for one.

mod image;
mod images;
mod readiness;

use tfplug::Value;

pub(crate) use self::{image::ImageSource, images::ImageList, readiness::ReadinessSource};

/// An argument reads as it was written: where the read has to wait for the apply, Terraform has shown it, and used it, as
/// such already. Left out, it reads as what was found.
fn as_written<T>(written: Value<T>, found: Value<T>) -> Value<T> {
    if written.is_null() { found } else { written }
}
