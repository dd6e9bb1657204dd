//! The panic hook: logs the place of a panic under the request id, never its message.

use std::panic;
use std::panic::PanicHookInfo;

/// Replaces the panic hook of the standard library. That hook writes the message of the panic to standard error without
/// redaction, and the message may quote what a client sent: `unwrap` on an error shows the error, and slicing shows the
/// string.
pub(crate) fn install() {
    panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    let (file, line) = panic
        .location()
        .map_or(("unknown", 0), |place| (place.file(), place.line()));
    if tracing::dispatcher::has_been_set() {
        tracing::error!(file, line, "panicked");
    } else {
        eprintln!("panicked at {file}:{line}");
    }
}
