//! One API call on its way through a handler: who makes it, what goes wrong with it, whether it is allowed.

use std::sync::Arc;

use serde_json::Value;

use super::{
    ApiError, Cloud,
    ec2::params::Params,
    faults::Effect,
    iam::{Access, Principal},
};

/// What a handler answers; the protocol is added later.
pub(crate) type Answer = Result<Value, ApiError>;

pub(crate) struct Call<'a> {
    pub(crate) cloud: &'a Arc<Cloud>,
    pub(crate) principal: &'a Principal,
    /// The faults that strike within the work itself, see [`Effect`].
    pub(crate) effects: Vec<Effect>,
}

impl Call<'_> {
    /// What every EC2 handler asks before it acts: nothing unread, all allowed, no dry run.
    pub(crate) fn admit(&self, mut params: Params, accesses: &[Access]) -> Result<(), ApiError> {
        let dry_run = params.flag("DryRun")?;
        params.finish()?;
        if let Some(refused) = self.refused(accesses) {
            return Err(ApiError::new(
                "UnauthorizedOperation",
                format!(
                    "You are not authorized to perform this operation. {}",
                    self.explain(refused)
                ),
            )
            .with_status(403));
        }
        if dry_run {
            return Err(ApiError::new(
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.",
            )
            .with_status(412));
        }
        Ok(())
    }

    /// The same for an action that has no resource types.
    pub(crate) fn admit_anywhere(&self, action: &str, params: Params) -> Result<(), ApiError> {
        self.admit(params, &[Access::new(format!("ec2:{action}"), "*")])
    }

    /// The JSON protocol's refusal.
    pub(crate) fn authorize(&self, accesses: &[Access]) -> Result<(), ApiError> {
        self.refused(accesses).map_or(Ok(()), |refused| {
            Err(ApiError::new(
                "AccessDeniedException",
                self.explain(refused),
            ))
        })
    }

    fn refused<'a>(&self, accesses: &'a [Access]) -> Option<&'a Access> {
        accesses.iter().find(|access| !self.principal.may(access))
    }

    fn explain(&self, refused: &Access) -> String {
        format!(
            "User: {} is not authorized to perform: {} on resource: {} because no identity-based policy allows the {} action",
            self.principal.arn, refused.action, refused.resource, refused.action
        )
    }
}
