//! `#[derive(Model)]`: the schema of a struct, and its way in and out of Terraform's values.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Error, LitInt, Result, spanned::Spanned};

use crate::{
    docs,
    fields::{self, Attribute, Block, Kind, ModelField},
};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = read_fields(input)?;
    let options = Options::read(input)?;
    let model = model_impl(input, &options, &fields);
    let field = field_impl(input);
    let assertions = fields.iter().filter_map(null_assertion);
    Ok(quote! { #model #field #(#assertions)* })
}

/// All problems at once, rather than the first.
fn read_fields(input: &DeriveInput) -> Result<Vec<ModelField>> {
    let mut read = Vec::new();
    let mut problems: Option<Error> = None;
    for field in fields::named(input)? {
        match ModelField::read(field) {
            Ok(field) => read.push(field),
            Err(error) => match &mut problems {
                Some(problems) => problems.combine(error),
                None => problems = Some(error),
            },
        }
    }
    problems.map_or(Ok(read), Err)
}

/// `#[tf(...)]` on the struct.
#[derive(Default)]
struct Options {
    version: Option<LitInt>,
    deprecated: bool,
}

impl Options {
    fn read(input: &DeriveInput) -> Result<Self> {
        let mut options = Self::default();
        for attribute in input.attrs.iter().filter(|a| a.path().is_ident("tf")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("version") {
                    options.version = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("deprecated") {
                    options.deprecated = true;
                } else {
                    return Err(
                        meta.error("on a struct, `version = ...` and `deprecated` are known")
                    );
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

fn model_impl(input: &DeriveInput, options: &Options, fields: &[ModelField]) -> TokenStream {
    let struct_ident = &input.ident;
    let description = docs::description(&input.attrs);
    let version = options.version.as_ref().map(|version| {
        quote! { const VERSION: i64 = #version; }
    });
    let deprecated = options.deprecated.then(|| quote! { .deprecated() });
    let parts = fields.iter().map(schema_part);
    let readers = fields.iter().map(reader);
    let writers = fields.iter().map(writer);
    quote! {
        impl ::tfplug::Model for #struct_ident {
            #version

            fn block() -> ::tfplug::schema::Block {
                ::tfplug::schema::Block::new(#description) #deprecated #(#parts)*
            }

            fn from_fields(
                #[allow(unused_mut, unused_variables)] mut fields: ::tfplug::Fields,
            ) -> ::core::result::Result<Self, ::tfplug::DecodeError> {
                ::core::result::Result::Ok(Self { #(#readers,)* })
            }

            fn into_fields(self) -> ::tfplug::Fields {
                <::tfplug::Fields as ::core::default::Default>::default()
                    #(#writers)*
            }
        }
    }
}

fn schema_part(field: &ModelField) -> TokenStream {
    match &field.kind {
        Kind::Attribute(attribute) => attribute_part(field, attribute),
        Kind::Block(block) => block_part(field, block),
        Kind::Flatten => {
            let ty = &field.ty;
            quote_spanned! { ty.span() => .flatten(<#ty as ::tfplug::Model>::block()) }
        }
    }
}

fn reader(field: &ModelField) -> TokenStream {
    let ModelField {
        ident, name, kind, ..
    } = field;
    match kind {
        Kind::Flatten => quote! { #ident: fields.take_flattened()? },
        Kind::Attribute(_) | Kind::Block(_) => quote! { #ident: fields.take(#name)? },
    }
}

fn writer(field: &ModelField) -> TokenStream {
    let ModelField {
        ident, name, kind, ..
    } = field;
    match kind {
        Kind::Flatten => quote! { .with_flattened(self.#ident) },
        Kind::Attribute(_) | Kind::Block(_) => quote! { .with(#name, self.#ident) },
    }
}

fn attribute_part(field: &ModelField, attribute: &Attribute) -> TokenStream {
    let ModelField {
        name,
        description,
        ty,
        ..
    } = field;
    let Attribute { mode, flags, .. } = attribute;
    let default = attribute.default.as_ref().map(|default| {
        quote_spanned! { default.span() =>
            .default_value::<#ty>(#default)
        }
    });
    let validators = attribute.validators.iter().map(|validator| {
        quote_spanned! { validator.span() => .validate::<#ty>(#validator) }
    });
    quote_spanned! { ty.span() =>
        .attribute(
            ::tfplug::schema::Attribute::new::<#ty>(
                #name,
                #description,
                ::tfplug::schema::Mode::#mode,
            )
            #(.flag(::tfplug::schema::Flag::#flags))*
            #default
            #(#validators)*
        )
    }
}

fn block_part(field: &ModelField, block: &Block) -> TokenStream {
    let ModelField {
        name,
        description,
        ty,
        ..
    } = field;
    let describe = (!description.is_empty()).then(|| quote! { .describe(#description) });
    let min_items = block.min_items.iter();
    let max_items = block.max_items.iter();
    quote_spanned! { ty.span() =>
        .nested(
            ::tfplug::schema::NestedBlock::new::<#ty>(#name)
            #describe
            #(.min_items(#min_items))*
            #(.max_items(#max_items))*
        )
    }
}

/// A struct that derives `Model` is a field type itself: a nested object or a nested block.
fn field_impl(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    quote! {
        impl ::tfplug::Field for #ident {
            type Checked = Self;

            fn shape() -> ::tfplug::schema::Shape {
                ::tfplug::schema::Shape::Nested(
                    ::tfplug::schema::Nesting::Single,
                    <Self as ::tfplug::Model>::block(),
                )
            }

            fn decode(cty: ::tfplug::Cty) -> ::core::result::Result<Self, ::tfplug::DecodeError> {
                <Self as ::tfplug::Model>::from_cty(cty)
            }

            fn encode(self) -> ::tfplug::Cty {
                ::tfplug::Model::into_cty(self)
            }

            fn check(
                known: ::tfplug::Cty,
                validator: &dyn ::tfplug::Validate<Self>,
            ) -> ::core::result::Result<(), ::std::string::String> {
                match <Self as ::tfplug::Model>::from_cty(known) {
                    ::core::result::Result::Ok(value) => validator.validate(&value),
                    ::core::result::Result::Err(_) => ::core::result::Result::Ok(()),
                }
            }
        }

        impl ::tfplug::schema::BlockField for #ident {
            const NESTING: ::tfplug::schema::Nesting = ::tfplug::schema::Nesting::Single;
            const REQUIRED: bool = true;

            fn block() -> ::tfplug::schema::Block {
                <Self as ::tfplug::Model>::block()
            }
        }
    }
}

/// An attribute that users may leave out needs a type that can say so.
fn null_assertion(field: &ModelField) -> Option<TokenStream> {
    let ModelField { name, ty, kind, .. } = field;
    let Kind::Attribute(attribute) = kind else {
        return None;
    };
    let optional = attribute.may_be_null && attribute.mode != "Computed";
    let message = format!(
        "`{name}` may be left out: its type has to be an Option<_> or a Value<_>, or it needs a default"
    );
    optional.then(|| {
        quote_spanned! { ty.span() =>
            const _: () = ::core::assert!(<#ty as ::tfplug::Field>::HOLDS_NULL, #message);
        }
    })
}
