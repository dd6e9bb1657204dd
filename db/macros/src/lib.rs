#![doc = include_str!("../README.md")]

mod declaration;
mod expand;

use proc_macro::TokenStream;

/// Declares an authenticated table: see the crate documentation.
#[proc_macro]
pub fn table(input: TokenStream) -> TokenStream {
    let declaration = syn::parse_macro_input!(input as declaration::Declaration);
    expand::expand(&declaration).into()
}
