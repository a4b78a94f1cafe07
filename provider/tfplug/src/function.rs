//! A provider-defined function, as its author writes it.

use async_trait::async_trait;

use crate::{DecodeError, Field, Type};

/// A function that configurations call as `provider::<provider>::<name>(...)`.
///
/// It has to be pure: Terraform may call it at any time, without configuring the provider, and checks that equal
/// arguments give equal results.
#[async_trait]
pub trait Function: Send + Sync + 'static {
    /// A struct with `#[derive(Arguments)]`: one field for each argument, in order. A field that can be null
    /// (`Option`, `Value`) or unknown (`Value`) receives such arguments; for others Terraform itself answers.
    type Arguments: Arguments;
    type Output: Field;

    const NAME: &'static str;
    /// One line.
    const SUMMARY: &'static str;
    /// Markdown.
    const DESCRIPTION: &'static str;

    async fn call(&self, arguments: Self::Arguments) -> Result<Self::Output, FunctionError>;
}

/// The arguments of a function: derive it, see [`macro@crate::Arguments`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of arguments",
    note = "write #[derive(tfplug::Arguments)] on the struct"
)]
pub trait Arguments: Sized + Send + 'static {
    fn parameters() -> Parameters;
    fn from_values(values: ArgumentValues) -> Result<Self, FunctionError>;
}

/// What a function takes.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    pub positional: Vec<Parameter>,
    /// Takes all arguments after the positional ones.
    pub variadic: Option<Parameter>,
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    /// Markdown.
    pub description: String,
    pub ty: Type,
    pub allow_null: bool,
    pub allow_unknown: bool,
}

impl Parameter {
    pub fn new<F: Field>(name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            ty: F::shape().ty(),
            allow_null: F::HOLDS_NULL,
            allow_unknown: F::HOLDS_UNKNOWN,
        }
    }
}

/// The arguments of one call on their way into a struct.
#[derive(Debug)]
pub struct ArgumentValues {
    values: std::vec::IntoIter<crate::Cty>,
    taken: i64,
}

impl ArgumentValues {
    pub fn new(values: Vec<crate::Cty>) -> Self {
        Self {
            values: values.into_iter(),
            taken: 0,
        }
    }

    /// The next argument.
    pub fn positional<F: Field>(&mut self) -> Result<F, FunctionError> {
        let value = self
            .values
            .next()
            .ok_or_else(|| FunctionError::new("too few arguments"))?;
        self.decode(value)
    }

    /// All that are left.
    pub fn variadic<F: Field>(&mut self) -> Result<Vec<F>, FunctionError> {
        let rest = std::mem::take(&mut self.values);
        rest.map(|value| self.decode(value)).collect()
    }

    fn decode<F: Field>(&mut self, value: crate::Cty) -> Result<F, FunctionError> {
        let position = self.taken;
        self.taken += 1;
        F::decode(value).map_err(|error| FunctionError::from(error).at(position))
    }
}

/// Why a function gives no result: one sentence, and the argument to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    pub text: String,
    /// Counted from zero.
    pub argument: Option<i64>,
}

impl FunctionError {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// Blames an argument, counted from zero.
    #[must_use]
    pub fn at(mut self, argument: i64) -> Self {
        self.argument = Some(argument);
        self
    }
}

impl From<DecodeError> for FunctionError {
    fn from(error: DecodeError) -> Self {
        Self::new(crate::Diagnostic::from(error).detail)
    }
}
