//! Reads `#[tf(...)]` on fields, and refuses what contradicts itself where it stands.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{
    Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitInt, LitStr, Result, Type,
    meta::ParseNestedMeta, spanned::Spanned,
};

use crate::docs;

/// What may stand in `#[tf(...)]` on a field of a model.
const KEYS: &str = "required, optional, computed, sensitive, write_only, force_replace, use_state_for_unknown, \
                    deprecated, default = ..., validate = ..., block, min_items = ..., max_items = ..., name = \"...\", \
                    flatten";

/// One field of a model, read.
pub(crate) struct ModelField {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Attribute(Box<Attribute>),
    Block(Block),
    /// Its attributes and blocks stand in the enclosing object.
    Flatten,
}

pub(crate) struct Attribute {
    /// A variant of `tfplug::schema::Mode`.
    pub(crate) mode: Ident,
    /// Variants of `tfplug::schema::Flag`.
    pub(crate) flags: Vec<Ident>,
    pub(crate) default: Option<Expr>,
    pub(crate) validators: Vec<Expr>,
    /// The configuration may leave it out and nothing takes its place.
    pub(crate) may_be_null: bool,
}

pub(crate) struct Block {
    pub(crate) min_items: Option<LitInt>,
    pub(crate) max_items: Option<LitInt>,
}

/// The named fields of a struct; an error for anything else.
pub(crate) fn named(input: &DeriveInput) -> Result<impl Iterator<Item = &Field>> {
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "a Terraform object cannot be generic",
        ));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields.named.iter()),
            _ => Err(Error::new(
                input.ident.span(),
                "only a struct with named fields can be derived: the names are what users write",
            )),
        },
        _ => Err(Error::new(
            input.ident.span(),
            "only a struct can be derived",
        )),
    }
}

/// The name users see: `name = "..."`, or else the field's.
pub(crate) fn public_name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}

impl ModelField {
    pub(crate) fn read(field: &Field) -> Result<Self> {
        let ident = field
            .ident
            .clone()
            .ok_or_else(|| Error::new(field.span(), "a field without a name"))?;
        let mut keys = Keys::default();
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("tf")) {
            attribute.parse_nested_meta(|meta| keys.read(&meta))?;
        }
        let name = match &keys.name {
            Some(name) => name.value(),
            None => public_name(&ident),
        };
        Ok(Self {
            name,
            description: docs::description(&field.attrs),
            kind: keys.into_kind(&ident)?,
            ty: field.ty.clone(),
            ident,
        })
    }
}

/// The keys as they stand, before they are weighed against each other.
#[derive(Default)]
struct Keys {
    words: Vec<(String, Span)>,
    default: Option<Expr>,
    validators: Vec<Expr>,
    min_items: Option<LitInt>,
    max_items: Option<LitInt>,
    name: Option<LitStr>,
}

impl Keys {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = meta.path.to_token_stream().to_string();
        match key.as_str() {
            "required"
            | "optional"
            | "computed"
            | "sensitive"
            | "write_only"
            | "force_replace"
            | "use_state_for_unknown"
            | "deprecated"
            | "block"
            | "flatten" => {
                self.words.push((key, meta.path.span()));
            }
            "default" => self.default = Some(meta.value()?.parse()?),
            "validate" => self.validators.push(meta.value()?.parse()?),
            "min_items" => self.min_items = Some(meta.value()?.parse()?),
            "max_items" => self.max_items = Some(meta.value()?.parse()?),
            "name" => self.name = Some(meta.value()?.parse()?),
            _ => return Err(meta.error(format!("`{key}` means nothing here; known are: {KEYS}"))),
        }
        Ok(())
    }

    fn span(&self, word: &str) -> Option<Span> {
        self.words
            .iter()
            .find(|(known, _)| known == word)
            .map(|(_, span)| *span)
    }

    fn has(&self, word: &str) -> bool {
        self.span(word).is_some()
    }

    fn into_kind(self, ident: &Ident) -> Result<Kind> {
        if let Some(span) = self.span("flatten") {
            self.into_flatten(span)
        } else if self.has("block") {
            self.into_block()
        } else {
            self.into_attribute(ident)
        }
    }

    fn into_flatten(self, span: Span) -> Result<Kind> {
        let alone = self.words.len() == 1 && self.default.is_none() && self.validators.is_empty();
        let counts = self.min_items.is_some() || self.max_items.is_some() || self.name.is_some();
        if alone && !counts {
            return Ok(Kind::Flatten);
        }
        Err(Error::new(
            span,
            "`flatten` stands alone: what it brings in has keys of its own",
        ))
    }

    fn into_block(self) -> Result<Kind> {
        if let Some((word, span)) = self.words.iter().find(|(word, _)| word != "block") {
            let message =
                format!("a nested block cannot be `{word}`: say so of the attributes inside");
            return Err(Error::new(*span, message));
        }
        if let Some(expr) = self.default.as_ref().or(self.validators.first()) {
            return Err(Error::new(
                expr.span(),
                "a nested block has neither default nor validators: the attributes inside can have them",
            ));
        }
        Ok(Kind::Block(Block {
            min_items: self.min_items,
            max_items: self.max_items,
        }))
    }

    fn into_attribute(self, ident: &Ident) -> Result<Kind> {
        if let Some(items) = self.min_items.as_ref().or(self.max_items.as_ref()) {
            return Err(Error::new(
                items.span(),
                "only a nested block counts items: use a validator",
            ));
        }
        self.refuse_contradictions()?;
        let mode = self.mode(ident)?;
        let flags = [
            ("sensitive", "Sensitive"),
            ("write_only", "WriteOnly"),
            ("force_replace", "ForceReplace"),
            ("use_state_for_unknown", "UseStateForUnknown"),
            ("deprecated", "Deprecated"),
        ];
        let flags = flags
            .iter()
            .filter_map(|(word, flag)| self.span(word).map(|span| Ident::new(flag, span)));
        Ok(Kind::Attribute(Box::new(Attribute {
            flags: flags.collect(),
            may_be_null: mode != "Required" && self.default.is_none(),
            mode,
            default: self.default,
            validators: self.validators,
        })))
    }

    fn mode(&self, ident: &Ident) -> Result<Ident> {
        let has_default = self.default.is_some();
        let mode = match (
            self.has("required"),
            self.has("optional"),
            self.has("computed"),
        ) {
            (true, false, false) => "Required",
            // Where a default steps in, it is the provider that gives the value.
            (false, true, false) if !has_default => "Optional",
            (false, true, _) => "OptionalComputed",
            (false, false, true) => "Computed",
            (false, false, false) => {
                let message = format!(
                    "say who gives `{ident}` its value: #[tf(required)], #[tf(optional)], #[tf(computed)] or \
                     #[tf(optional, computed)]; or #[tf(block)] for a nested block"
                );
                return Err(Error::new(ident.span(), message));
            }
            (true, _, _) => {
                let message = "`required` leaves no room for `optional` or `computed`";
                return Err(Error::new(ident.span(), message));
            }
        };
        Ok(Ident::new(mode, ident.span()))
    }

    fn refuse_contradictions(&self) -> Result<()> {
        let rules = [
            (
                "write_only",
                "computed",
                "a write-only value comes from the configuration alone",
            ),
            (
                "write_only",
                "force_replace",
                "a write-only value is never stored, so no change of it can be seen",
            ),
        ];
        for (word, other, why) in rules {
            if let (Some(span), true) = (self.span(word), self.has(other)) {
                return Err(Error::new(
                    span,
                    format!("`{word}` and `{other}` exclude each other: {why}"),
                ));
            }
        }
        if let (Some(span), false) = (self.span("use_state_for_unknown"), self.has("computed")) {
            return Err(Error::new(
                span,
                "`use_state_for_unknown` is for computed values: others are never unknown in a plan by themselves",
            ));
        }
        match &self.default {
            Some(default) if !self.has("optional") => Err(Error::new(
                default.span(),
                "`default` steps in where the configuration leaves out an `optional` attribute",
            )),
            Some(default) if self.has("write_only") => Err(Error::new(
                default.span(),
                "a write-only value comes from the configuration alone",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    /// What the author of this field reads.
    fn complaint(field: &Field) -> String {
        ModelField::read(field).err().expect("an error").to_string()
    }

    #[test]
    fn contradictions_are_explained() {
        let cases: [(Field, &str); 10] = [
            (parse_quote!(a: String), "say who gives `a` its value"),
            (
                parse_quote!(#[tf(required, computed)] a: String),
                "leaves no room",
            ),
            (
                parse_quote!(#[tf(requird)] a: String),
                "`requird` means nothing here; known are: required",
            ),
            (
                parse_quote!(#[tf(optional, computed, write_only)] a: String),
                "`write_only` and `computed`",
            ),
            (
                parse_quote!(#[tf(optional, write_only, force_replace)] a: String),
                "`write_only` and `force_replace`",
            ),
            (
                parse_quote!(#[tf(optional, use_state_for_unknown)] a: String),
                "is for computed values",
            ),
            (
                parse_quote!(#[tf(required, default = 1)] a: i64),
                "`default` steps in",
            ),
            (
                parse_quote!(#[tf(block, sensitive)] a: A),
                "cannot be `sensitive`",
            ),
            (
                parse_quote!(#[tf(optional, max_items = 1)] a: A),
                "only a nested block counts",
            ),
            (
                parse_quote!(#[tf(flatten, optional)] a: A),
                "`flatten` stands alone",
            ),
        ];
        for (field, expected) in &cases {
            let complaint = complaint(field);
            assert!(complaint.contains(expected), "{expected}: {complaint}");
        }
    }

    #[test]
    fn a_default_makes_the_provider_responsible() {
        let field: Field = parse_quote!(#[tf(optional, default = 1)] a: i64);
        let Kind::Attribute(attribute) = ModelField::read(&field).expect("valid").kind else {
            panic!("an attribute");
        };
        assert!(attribute.mode == "OptionalComputed" && !attribute.may_be_null);
    }

    #[test]
    fn names_and_descriptions_come_from_the_source() {
        let field: Field = parse_quote! {
            /// First line.
            ///
            ///   indented
            #[tf(required)]
            r#type: String
        };
        let field = ModelField::read(&field).expect("valid");
        assert_eq!(field.name, "type");
        assert_eq!(field.description, "First line.\n\n  indented");
    }

    #[test]
    fn only_structs_with_names() {
        let inputs: [DeriveInput; 3] = [
            parse_quote!(
                enum A {
                    B,
                }
            ),
            parse_quote!(
                struct A(String);
            ),
            parse_quote!(
                struct A<T> {
                    #[tf(required)]
                    a: T,
                }
            ),
        ];
        for input in inputs {
            assert!(named(&input).is_err());
        }
    }
}
