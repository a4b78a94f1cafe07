//! Who calls, and what they may do: identities, policies, request signatures.

pub(crate) mod identity;
pub(crate) mod policy;
pub(crate) mod sigv4;

pub use identity::{Credentials, IMAGE_MAKER_ROLE, Principal, User, role_arn};
pub use policy::{Access, Policy, PolicyError};

/// The lab's account, the one that AWS's documentation uses.
pub const ACCOUNT: &str = "111122223333";
