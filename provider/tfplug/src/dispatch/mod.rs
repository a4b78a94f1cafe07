//! Between the wire's untyped values and the typed traits: one adapter each for resources, data sources, lists, functions.

mod data_source;
mod function;
mod list;
mod resource;

pub(crate) use data_source::{DataSourceAdapter, DynDataSource};
pub(crate) use function::{DynFunction, FunctionAdapter, Signature};
pub(crate) use list::{DynList, ListAdapter, Listed, Query};
pub(crate) use resource::{Applied, Change, DynResource, ResourceAdapter, Target};

use crate::{
    Cty, Diagnostic, Diagnostics, Model, Result, Type, plan,
    schema::{Block, Flag, Mode},
};

/// The schema of a model, with what is derived from it once.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) version: i64,
    pub(crate) block: Block,
    pub(crate) ty: Type,
}

impl Schema {
    pub(crate) fn of<M: Model>() -> Self {
        let block = M::block();
        Self {
            version: M::VERSION,
            ty: block.ty(),
            block,
        }
    }
}

/// The struct, or `None` while a plain field of it is unknown.
pub(crate) fn decode_if_known<M: Model>(cty: Cty) -> Result<Option<M>> {
    match M::from_cty(cty) {
        Ok(model) => Ok(Some(model)),
        Err(error) if error.is_unknown() => Ok(None),
        Err(error) => Err(Diagnostic::from(error).into()),
    }
}

pub(crate) fn decode<M: Model>(cty: Cty) -> Result<M> {
    M::from_cty(cty).map_err(|error| Diagnostic::from(error).into())
}

/// The configuration, unless part of it is unknown, and what its attributes' own validators say: both are looked at, so
/// that a user reads of everything at once.
pub(crate) fn checked<M: Model>(block: &Block, config: &Cty) -> (Option<M>, Diagnostics) {
    let problems = validate_attributes(block, config).err();
    let problems = problems.unwrap_or_default();
    match decode_if_known(plan::with_defaults(block, config)) {
        Ok(config) => (config, problems),
        // What does not fit its type, its attribute has said already.
        Err(unfit) if problems.is_empty() => (None, unfit),
        Err(_) => (None, problems),
    }
}

/// Runs the attributes' own validators on everything that is known. What only the provider can know is not to be set.
pub(crate) fn validate_attributes(block: &Block, config: &Cty) -> Result<()> {
    let mut problems = Diagnostics::default();
    plan::visit_configured(block, config, &mut |attribute, value, path| {
        if attribute.mode == Mode::Computed {
            let detail = format!("The provider decides \"{path}\": it cannot be set.");
            problems.push(Diagnostic::error("Read-only attribute", detail).at(path.clone()));
        } else if value.is_wholly_known() {
            let found = attribute.problems(value);
            problems.extend(found.map(|detail| {
                let summary = format!("Invalid value for \"{path}\"");
                Diagnostic::error(summary, detail).at(path.clone())
            }));
        }
    });
    problems.or_ok(())
}

/// A Terraform that knows nothing of write-only attributes would store them.
pub(crate) fn refuse_write_only(block: &Block, config: &Cty) -> Result<()> {
    let mut problems = Diagnostics::default();
    plan::visit_configured(block, config, &mut |attribute, _, path| {
        if attribute.is(Flag::WriteOnly) {
            let detail = format!(
                "\"{path}\" must not be stored, and this Terraform would do so: it takes version 1.11 or later."
            );
            problems.push(Diagnostic::error("Write-only attribute", detail).at(path.clone()));
        }
    });
    problems.or_ok(())
}

/// A model as state: an unknown value in it is the provider's mistake.
pub(crate) fn into_state(block: &Block, old: &Cty, model: impl Model) -> (Cty, Diagnostics) {
    let mut state = plan::restore(old, model.into_cty());
    plan::null_write_only(block, &mut state);
    let unknown = plan::settle_unknown(&mut state).into_iter().map(|path| {
        let detail = format!(
            "This is a bug in the provider: after apply it left \"{path}\" unknown. It is stored as null."
        );
        Diagnostic::error("Value still unknown after apply", detail).at(path)
    });
    (state, unknown.collect())
}
