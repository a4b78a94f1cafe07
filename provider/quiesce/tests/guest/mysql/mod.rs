//! MySQL and MariaDB: the same tests on both, on real servers.

mod hold;
mod image;
mod kill;
mod probe;
mod scene;
pub(crate) mod server;
