//! Functions with their types erased.

use async_trait::async_trait;

use crate::{ArgumentValues, Arguments, Cty, Field, Function, FunctionError, Parameters, Type};

#[async_trait]
pub(crate) trait DynFunction: Send + Sync {
    fn signature(&self) -> &Signature;
    async fn call(&self, arguments: Vec<Cty>) -> Result<Cty, FunctionError>;
}

/// What Terraform needs to know of a function.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) parameters: Parameters,
    pub(crate) output: Type,
}

impl Signature {
    /// The type of the argument at `position`.
    pub(crate) fn parameter(&self, position: usize) -> Option<&Type> {
        let positional = self.parameters.positional.get(position);
        positional
            .or(self.parameters.variadic.as_ref())
            .map(|parameter| &parameter.ty)
    }
}

pub(crate) struct FunctionAdapter<F> {
    function: F,
    signature: Signature,
}

impl<F: Function> FunctionAdapter<F> {
    pub(crate) fn new(function: F) -> Self {
        Self {
            function,
            signature: Signature {
                summary: F::SUMMARY,
                description: F::DESCRIPTION,
                parameters: F::Arguments::parameters(),
                output: F::Output::shape().ty(),
            },
        }
    }
}

#[async_trait]
impl<F: Function> DynFunction for FunctionAdapter<F> {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    async fn call(&self, arguments: Vec<Cty>) -> Result<Cty, FunctionError> {
        let arguments = F::Arguments::from_values(ArgumentValues::new(arguments))?;
        self.function.call(arguments).await.map(Field::encode)
    }
}
