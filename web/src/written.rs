//! HTTP/1.1 as it is written, to clients and to the apps alike.

use bytes::BytesMut;
use http::{HeaderName, HeaderValue};

/// The end of a body in chunks.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A header's line.
pub(crate) fn line(to: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    to.extend_from_slice(name.as_str().as_bytes());
    to.extend_from_slice(b": ");
    to.extend_from_slice(value.as_bytes());
    to.extend_from_slice(b"\r\n");
}

/// Writes a number in digits, of which the longest has twenty.
pub(crate) fn number(to: &mut BytesMut, mut number: u64, radix: u64) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    for place in digits.iter_mut().rev() {
        let digit = u8::try_from(number % radix).unwrap_or(0);
        *place = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        };
        from -= 1;
        number /= radix;
        if number == 0 {
            break;
        }
    }
    to.extend_from_slice(digits.get(from..).unwrap_or_default());
}
