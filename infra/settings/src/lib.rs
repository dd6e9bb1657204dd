#![doc = include_str!("../README.md")]

mod error;
mod reader;

pub use error::EX_USAGE;
pub use error::Error;
pub use error::Errors;
pub use reader::Reader;
pub use reader::Reported;

/// Builds a struct from the results of its fields. Every field is read before the first error is
/// returned, so that the [`Reader`] records the errors of all of them.
#[macro_export]
macro_rules! section {
    ($($name:ident)::+ { $($field:ident: $read:expr),* $(,)? }) => {{
        $(let $field = $read;)*
        // A closure, so that `return` ends this section and not the one around it.
        (move || -> ::core::result::Result<_, $crate::Reported> {
            Ok($($name)::+ {
                $($field: match $field {
                    Ok(value) => value,
                    Err(reported) => return Err(reported),
                }),*
            })
        })()
    }};
}
