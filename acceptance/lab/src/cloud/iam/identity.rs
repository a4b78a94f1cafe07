//! The lab's principals: an operator who may do anything, and the ones that this project's policies describe.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use time::OffsetDateTime;

use super::{ACCOUNT, Access, Policy, PolicyError};
use crate::cloud::{ids, lock};

/// What the project asks its users to grant to the caller of terraform.
const CALLER_POLICY: &str = include_str!("../../../../../schemas/iam/caller.json");
/// What the project asks its users to grant to the servers: the agent needs it, nothing else does.
const INSTANCE_POLICY: &str = include_str!("../../../../../schemas/iam/instance-role.json");
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// The role that has the caller policy and can be assumed by `deployer`.
pub const IMAGE_MAKER_ROLE: &str = "image-maker";

/// Someone who calls.
#[derive(Clone, Debug)]
pub struct Principal {
    pub arn: String,
    /// `UserId` of `sts:GetCallerIdentity`.
    pub user_id: String,
    policy: Arc<Policy>,
}

impl Principal {
    pub(crate) fn may(&self, access: &Access) -> bool {
        self.policy.allows(access)
    }
}

/// What a client signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Only temporary credentials have one.
    pub session_token: Option<String>,
}

/// Whose long-term credentials to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum User {
    /// May do anything: for what surrounds the provider under test.
    Operator,
    /// Has exactly schemas/iam/caller.json.
    ImageMaker,
    /// May only assume the role `image-maker`, which has schemas/iam/caller.json.
    Deployer,
    /// Has no policy at all.
    Nobody,
}

impl User {
    pub const ALL: [Self; 4] = [
        Self::Operator,
        Self::ImageMaker,
        Self::Deployer,
        Self::Nobody,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::ImageMaker => "image-maker",
            Self::Deployer => "deployer",
            Self::Nobody => "nobody",
        }
    }

    fn policy(self) -> String {
        match self {
            Self::Operator => EVERYTHING.to_owned(),
            Self::ImageMaker => CALLER_POLICY.to_owned(),
            Self::Deployer => format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"{}"}}]}}"#,
                role_arn(IMAGE_MAKER_ROLE)
            ),
            Self::Nobody => NOTHING.to_owned(),
        }
    }

    /// Fixed, so that a lab's credentials survive its restart. They open nothing but the lab.
    pub fn credentials(self) -> Credentials {
        let name = self.name().to_uppercase().replace('-', "");
        Credentials {
            access_key_id: format!("AKIALAB{name:X>13}"),
            secret_access_key: format!("lab-secret-of-{}", self.name()),
            session_token: None,
        }
    }
}

pub fn role_arn(role: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{role}")
}

/// A key on file: its secret, whose it is, and until when.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) credentials: Credentials,
    pub(crate) principal: Arc<Principal>,
    pub(crate) expires: Option<OffsetDateTime>,
}

/// Every access key and role of the account.
pub(crate) struct Directory {
    keys: Mutex<HashMap<String, Key>>,
    users: HashMap<User, Arc<Principal>>,
    caller_policy: Arc<Policy>,
    instance_policy: Mutex<Policy>,
}

impl Directory {
    pub(crate) fn new() -> Result<Self, PolicyError> {
        let users = User::ALL
            .into_iter()
            .map(|user| Ok((user, Arc::new(principal(user)?))));
        let users: HashMap<User, Arc<Principal>> = users.collect::<Result<_, PolicyError>>()?;
        let keys = users
            .iter()
            .map(|(user, principal)| user_key(*user, principal));
        Ok(Self {
            keys: Mutex::new(keys.collect()),
            users,
            caller_policy: Arc::new(Policy::parse(CALLER_POLICY)?),
            instance_policy: Mutex::new(Policy::parse(INSTANCE_POLICY)?),
        })
    }

    pub(crate) fn user(&self, user: User) -> Arc<Principal> {
        Arc::clone(&self.users[&user])
    }

    pub(crate) fn key(&self, access_key: &str) -> Option<Key> {
        lock(&self.keys).get(access_key).cloned()
    }

    /// May an instance under the project's instance role do this?
    pub(crate) fn instance_may(&self, action: &str) -> bool {
        lock(&self.instance_policy).allows(&Access::new(action, "*"))
    }

    pub(crate) fn set_instance_policy(&self, policy: Policy) {
        *lock(&self.instance_policy) = policy;
    }

    /// Temporary credentials for a session of `role`; `None` where there is no such role.
    pub(crate) fn assume(&self, role: &str, session: &str, expires: OffsetDateTime) -> Option<Key> {
        (role == role_arn(IMAGE_MAKER_ROLE)).then(|| {
            let credentials = Credentials {
                access_key_id: format!("ASIA{}", ids::hex(16).to_uppercase()),
                secret_access_key: ids::hex(40),
                session_token: Some(ids::hex(64)),
            };
            let key = Key {
                credentials,
                principal: Arc::new(Principal {
                    arn: format!(
                        "arn:aws:sts::{ACCOUNT}:assumed-role/{IMAGE_MAKER_ROLE}/{session}"
                    ),
                    user_id: format!("AROALABIMAGEMAKER0000:{session}"),
                    policy: Arc::clone(&self.caller_policy),
                }),
                expires: Some(expires),
            };
            lock(&self.keys).insert(key.credentials.access_key_id.clone(), key.clone());
            key
        })
    }
}

fn principal(user: User) -> Result<Principal, PolicyError> {
    Ok(Principal {
        arn: format!("arn:aws:iam::{ACCOUNT}:user/{}", user.name()),
        user_id: format!("AIDALAB{}", user.name().to_uppercase().replace('-', "")),
        policy: Arc::new(Policy::parse(&user.policy())?),
    })
}

fn user_key(user: User, principal: &Arc<Principal>) -> (String, Key) {
    let credentials = user.credentials();
    let key = Key {
        credentials: credentials.clone(),
        principal: Arc::clone(principal),
        expires: None,
    };
    (credentials.access_key_id, key)
}
