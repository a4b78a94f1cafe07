//! Values and schemas as messages.

use serde_json::value::RawValue;

use crate::{
    Cty, Diagnostic, Result, Type,
    dispatch::{Schema, Signature},
    function::Parameter,
    json, msgpack,
    schema::{Attribute, Block, Flag, Mode, NestedBlock, Nesting, Shape},
    wire,
};

/// Reads a value that Terraform sent; an absent one is null.
pub(crate) fn decode(value: Option<&wire::DynamicValue>, ty: &Type) -> Result<Cty> {
    let Some(value) = value else {
        return Ok(Cty::Null);
    };
    if !value.msgpack.is_empty() {
        return msgpack::decode(&value.msgpack, ty).map_err(|error| unreadable(&error).into());
    }
    if value.json.is_empty() {
        return Ok(Cty::Null);
    }
    let raw: &RawValue = serde_json::from_slice(&value.json).map_err(|error| unreadable(&error))?;
    json::decode(raw, ty).map_err(|error| unreadable(&error).into())
}

/// Terraform does not read JSON in every answer: always msgpack.
pub(crate) fn encode(value: &Cty, ty: &Type) -> wire::DynamicValue {
    wire::DynamicValue {
        msgpack: msgpack::encode(value, ty),
        json: Vec::new(),
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(
        "Value from Terraform cannot be read",
        format!(
            "It does not fit the provider's schema: {error}. Terraform and the provider disagree about the schema."
        ),
    )
}

pub(crate) fn schema(schema: &Schema) -> wire::Schema {
    wire::Schema {
        version: schema.version,
        block: Some(block(&schema.block)),
    }
}

fn block(block: &Block) -> wire::schema::Block {
    wire::schema::Block {
        // The version that counts is the schema's.
        version: 0,
        attributes: block.attributes.iter().map(attribute).collect(),
        block_types: block.blocks.iter().map(nested_block).collect(),
        description: block.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        deprecated: block.deprecated,
        ..wire::schema::Block::default()
    }
}

fn attribute(attribute: &Attribute) -> wire::schema::Attribute {
    // Exactly one of the two: core refuses a schema that has both.
    let (ty, nested_type) = match &attribute.shape {
        Shape::Plain(ty) => (spelled(ty), None),
        Shape::Nested(nesting, inner) => (Vec::new(), Some(object(*nesting, inner))),
    };
    wire::schema::Attribute {
        name: attribute.name.clone(),
        r#type: ty,
        nested_type,
        description: attribute.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        required: attribute.mode == Mode::Required,
        optional: matches!(attribute.mode, Mode::Optional | Mode::OptionalComputed),
        computed: attribute.is_computed(),
        sensitive: attribute.is(Flag::Sensitive),
        deprecated: attribute.is(Flag::Deprecated),
        write_only: attribute.is(Flag::WriteOnly),
        deprecation_message: String::new(),
    }
}

fn object(nesting: Nesting, block: &Block) -> wire::schema::Object {
    use wire::schema::object::NestingMode;
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    wire::schema::Object {
        attributes: block.attributes.iter().map(attribute).collect(),
        nesting: nesting.into(),
        ..wire::schema::Object::default()
    }
}

fn nested_block(nested: &NestedBlock) -> wire::schema::NestedBlock {
    use wire::schema::nested_block::NestingMode;
    let nesting = match nested.nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    wire::schema::NestedBlock {
        type_name: nested.name.clone(),
        block: Some(block(&nested.block)),
        nesting: nesting.into(),
        min_items: nested.min_items,
        max_items: nested.max_items,
    }
}

pub(crate) fn identity_schema(identity: &Schema) -> wire::ResourceIdentitySchema {
    let attribute = |attribute: &Attribute| wire::resource_identity_schema::IdentityAttribute {
        name: attribute.name.clone(),
        r#type: spelled(&attribute.shape.ty()),
        required_for_import: attribute.mode == Mode::Required,
        optional_for_import: attribute.mode == Mode::Optional,
        description: attribute.description.clone(),
    };
    wire::ResourceIdentitySchema {
        version: identity.version,
        identity_attributes: identity.block.attributes.iter().map(attribute).collect(),
    }
}

pub(crate) fn function(signature: &Signature) -> wire::Function {
    wire::Function {
        parameters: signature
            .parameters
            .positional
            .iter()
            .map(parameter)
            .collect(),
        variadic_parameter: signature.parameters.variadic.as_ref().map(parameter),
        r#return: Some(wire::function::Return {
            r#type: spelled(&signature.output),
        }),
        summary: signature.summary.to_owned(),
        description: signature.description.to_owned(),
        description_kind: wire::StringKind::Markdown.into(),
        deprecation_message: String::new(),
    }
}

fn parameter(parameter: &Parameter) -> wire::function::Parameter {
    wire::function::Parameter {
        name: parameter.name.clone(),
        r#type: spelled(&parameter.ty),
        allow_null_value: parameter.allow_null,
        allow_unknown_values: parameter.allow_unknown,
        description: parameter.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
    }
}

fn spelled(ty: &Type) -> Vec<u8> {
    ty.to_json().to_string().into_bytes()
}
