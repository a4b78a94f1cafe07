//! Derive macros of tfplug: they expand to its public API only, documented there.

mod arguments;
mod docs;
mod fields;
mod model;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// See `tfplug::Model`.
#[proc_macro_derive(Model, attributes(tf))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input as DeriveInput), model::expand)
}

/// See `tfplug::Arguments`.
#[proc_macro_derive(Arguments, attributes(tf))]
pub fn derive_arguments(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input as DeriveInput), arguments::expand)
}

fn expand(
    input: &DeriveInput,
    expander: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    expander(input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
