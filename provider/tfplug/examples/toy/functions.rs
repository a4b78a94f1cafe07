//! `provider::toy::join` and `provider::toy::describe`.

use tfplug::{Arguments, Dynamic, Function, FunctionError, Value, async_trait};

pub(crate) struct Join;

#[derive(Arguments)]
pub(crate) struct JoinArguments {
    /// What stands between the parts.
    separator: String,
    /// The parts; null ones are left out.
    #[tf(variadic)]
    parts: Vec<Option<String>>,
}

#[async_trait]
impl Function for Join {
    type Arguments = JoinArguments;
    type Output = String;
    const NAME: &'static str = "join";
    const SUMMARY: &'static str = "Joins texts";
    const DESCRIPTION: &'static str = "Joins all texts that are not null.";

    async fn call(&self, arguments: JoinArguments) -> Result<String, FunctionError> {
        if arguments.separator.is_empty() {
            return Err(FunctionError::new("a separator cannot be empty").at(0));
        }
        let parts: Vec<String> = arguments.parts.into_iter().flatten().collect();
        Ok(parts.join(&arguments.separator))
    }
}

pub(crate) struct Describe;

#[derive(Arguments)]
pub(crate) struct DescribeArguments {
    /// Anything.
    value: Value<Dynamic>,
}

#[async_trait]
impl Function for Describe {
    type Arguments = DescribeArguments;
    type Output = String;
    const NAME: &'static str = "describe";
    const SUMMARY: &'static str = "Names a type";
    const DESCRIPTION: &'static str = "Spells the type of a value.";

    async fn call(&self, arguments: DescribeArguments) -> Result<String, FunctionError> {
        Ok(match arguments.value {
            Value::Null => "null".to_owned(),
            Value::Unknown => "unknown".to_owned(),
            Value::Known(value) => value.ty.to_json().to_string(),
        })
    }
}
