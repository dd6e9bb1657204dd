//! The style sheet and the icon, compiled in; their names carry a hash of their content, so a
//! browser may keep them for ever and still never shows an old one.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use utoipa::IntoParams;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

struct Asset {
    path: String,
    media_type: &'static str,
    bytes: &'static [u8],
    /// The same, compressed once. Nothing else is ever compressed: an answer that holds a secret
    /// and something that a client sent would tell the one by its length (BREACH).
    gzip: Bytes,
}

impl Asset {
    fn new(
        (stem, extension): (&str, &str),
        media_type: &'static str,
        bytes: &'static [u8],
    ) -> Self {
        let path = format!("/assets/{stem}.{:016x}.{extension}", fingerprint(bytes));
        Self {
            path,
            media_type,
            bytes,
            gzip: gzip(bytes),
        }
    }

    /// The content, and how it is coded.
    fn content(&self, gzip: bool) -> (Bytes, Option<HeaderValue>) {
        if gzip && !self.gzip.is_empty() {
            return (self.gzip.clone(), Some(HeaderValue::from_static("gzip")));
        }
        (Bytes::from_static(self.bytes), None)
    }
}

/// Compressed; empty if that fails, which it does not into memory.
fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Bytes::from(written.unwrap_or_default())
}

/// Whether a client says that it reads gzip (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.split_once(';').unwrap_or((coding, "")))
        .any(|(name, weight)| {
            let refused = ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains(&weight.trim());
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
}

/// Stem and extension of the style sheet's name.
const STYLE: (&str, &str) = ("style", "css");
/// Stem and extension of the icon's name.
const ICON: (&str, &str) = ("favicon", "svg");

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        STYLE,
        "text/css; charset=utf-8",
        include_bytes!("../../../assets/style.css"),
    )
});
static FAVICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        ICON,
        "image/svg+xml",
        include_bytes!("../../../assets/favicon.svg"),
    )
});

/// The path of the one style sheet.
pub(crate) fn stylesheet() -> &'static str {
    &STYLESHEET.path
}

/// The path of the icon.
pub(crate) fn favicon() -> &'static str {
    &FAVICON.path
}

/// The file in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "a description: the handler reads the path as text"
)]
pub(crate) struct FilePath {
    /// The name carries a hash of the content.
    #[param(schema_with = names)]
    file: String,
}

/// The names of any version of the files.
fn names() -> Object {
    let hash = "[0-9a-f]{16}";
    let names = [STYLE, ICON].map(|(stem, extension)| format!("{stem}\\.{hash}\\.{extension}"));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^({})$", names.join("|"))))
        .build()
}

/// The style sheet and the icon.
#[utoipa::path(
    get,
    path = "/assets/{file}",
    params(FilePath),
    responses(
        (status = 200, description = "It may be kept for ever", content(("text/css"), ("image/svg+xml"))),
        (status = 404, description = "There is another version by now")
    )
)]
pub(crate) async fn get(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let named = |asset: &&Asset| asset.path.strip_prefix("/assets/") == Some(file.as_str());
    let Some(asset) = [&*STYLESHEET, &*FAVICON].into_iter().find(named) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (content, coding) = asset.content(takes_gzip(&headers));
    let mut response = content.into_response();
    let headers = response.headers_mut();
    let mut set = |name, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    set(header::CONTENT_TYPE, asset.media_type);
    set(header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    set(header::VARY, "accept-encoding");
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, coding);
    }
    response
}

/// FNV-1a, 64 bits: it tells two versions of our own file apart and protects nothing.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
