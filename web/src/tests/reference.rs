//! A reference parser of HTTP/1.1 messages, as simple as RFC 9112 allows, to compare the edge with.

use bytes::Bytes;

/// A header field: the name in lower case, and the value.
pub(crate) type Field = (String, Bytes);

/// The head of a message: its first line, its fields, and the bytes after it.
pub(crate) struct Head<'a> {
    /// Converted to UTF-8: a reason phrase may have other bytes.
    pub(crate) start_line: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) rest: &'a [u8],
}

impl Head<'_> {
    /// The values of a field, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(field, _)| field == name);
        named.map(|(_, value)| &value[..]).collect()
    }
}

/// Parses the head at the beginning of `text` (RFC 9112, 2.1); `None` if it is incomplete.
pub(crate) fn head(text: &[u8]) -> Option<Head<'_>> {
    let (start_line, mut rest) = line(text)?;
    let mut fields = Vec::new();
    loop {
        let (field, after) = line(rest)?;
        rest = after;
        if field.is_empty() {
            break;
        }
        let colon = field.iter().position(|byte| *byte == b':')?;
        let name = std::str::from_utf8(&field[..colon]).ok()?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return None;
        }
        let value = Bytes::copy_from_slice(trim(&field[colon + 1..]));
        fields.push((name.to_ascii_lowercase(), value));
    }
    Some(Head {
        start_line: String::from_utf8_lossy(start_line).into_owned(),
        fields,
        rest,
    })
}

/// Decodes the chunked body at the beginning of `text` (RFC 9112, 7.1). Returns it and the bytes
/// after it; `None` if it is incomplete.
pub(crate) fn chunked(mut text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let (size, after) = line(text)?;
        let digits = size.split(|byte| *byte == b';').next()?;
        let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        let size = usize::try_from(size).ok()?;
        text = after;
        if size == 0 {
            break;
        }
        let (data, after) = text.split_at_checked(size)?;
        body.extend(data);
        text = after.strip_prefix(b"\r\n")?;
    }
    loop {
        let (trailer, after) = line(text)?;
        text = after;
        if trailer.is_empty() {
            return Some((body, text));
        }
    }
}

/// The line at the beginning of `text`, without its end, and the bytes after it.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&text[..end], &text[end + 2..]))
}

/// A value without surrounding spaces and tabs (OWS; RFC 9110, 5.6.3).
fn trim(value: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(is_text).unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last + 1);
    &value[start..end]
}
