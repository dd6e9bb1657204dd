//! The encoding of HTTP/1.1 header fields and integers, for requests and responses.

use bytes::BytesMut;
use http::HeaderName;
use http::HeaderValue;

/// The end of a chunked body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes a header field.
pub(crate) fn write_header(to: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    to.extend_from_slice(name.as_str().as_bytes());
    to.extend_from_slice(b": ");
    to.extend_from_slice(value.as_bytes());
    to.extend_from_slice(b"\r\n");
}

/// Writes an integer in a radix from 10 to 16: at most twenty digits.
pub(crate) fn write_integer(to: &mut BytesMut, mut number: u64, radix: u64) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    for slot in digits.iter_mut().rev() {
        let digit = u8::try_from(number % radix).unwrap_or(0);
        *slot = if digit < 10 {
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
