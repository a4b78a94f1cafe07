//! `#[derive(Arguments)]`: the parameters of a function, in the order of the fields.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Error, Field, Result, spanned::Spanned};

use crate::{docs, fields};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let struct_ident = &input.ident;
    let fields: Vec<&Field> = fields::named(input)?.collect();
    let mut parameters = Vec::new();
    let mut readers = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        let variadic = is_variadic(field)?;
        if variadic && position + 1 < fields.len() {
            return Err(Error::new(
                field.span(),
                "only the last argument can be variadic",
            ));
        }
        parameters.push(parameter(field, variadic));
        readers.push(reader(field, variadic));
    }
    Ok(quote! {
        impl ::tfplug::Arguments for #struct_ident {
            fn parameters() -> ::tfplug::Parameters {
                let mut parameters = <::tfplug::Parameters as ::core::default::Default>::default();
                #(#parameters)*
                parameters
            }

            fn from_values(
                #[allow(unused_mut, unused_variables)] mut values: ::tfplug::ArgumentValues,
            ) -> ::core::result::Result<Self, ::tfplug::FunctionError> {
                ::core::result::Result::Ok(Self { #(#readers)* })
            }
        }
    })
}

fn is_variadic(field: &Field) -> Result<bool> {
    let mut variadic = false;
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("tf")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("variadic") {
                return Err(meta.error("an argument can only be `variadic`"));
            }
            variadic = true;
            Ok(())
        })?;
    }
    Ok(variadic)
}

fn parameter(field: &Field, variadic: bool) -> TokenStream {
    let name = field.ident.as_ref().map(fields::public_name);
    let description = docs::description(&field.attrs);
    let ty = &field.ty;
    if variadic {
        return quote_spanned! { ty.span() =>
            parameters.variadic = ::core::option::Option::Some(
                ::tfplug::Parameter::new::<<#ty as ::core::iter::IntoIterator>::Item>(#name, #description),
            );
        };
    }
    quote_spanned! { ty.span() =>
        parameters.positional.push(::tfplug::Parameter::new::<#ty>(#name, #description));
    }
}

fn reader(field: &Field, variadic: bool) -> TokenStream {
    let ident = &field.ident;
    if variadic {
        quote! { #ident: values.variadic()?, }
    } else {
        quote! { #ident: values.positional()?, }
    }
}
