//! What the provider block comes to: the clients and the tag policy that every resource works with.

use consistent_aws::config::Clients;

use crate::tags::TagPolicy;

/// One configured provider.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) clients: Clients,
    pub(crate) tags: TagPolicy,
}
