//! The style sheet and the icon, compiled in; their names carry a hash of their content, so a
//! browser may keep them for ever and still never shows an old one.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Type;

use crate::http::conditional;
use crate::http::conditional::Precondition;
use crate::http::conditional::Validators;
use crate::http::negotiation::accepts_gzip;

struct Asset {
    path: String,
    /// A weak tag (RFC 9110, 8.8.3): one for the content, whether it is compressed or not.
    etag: String,
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
        let hash = format!("{:016x}", fingerprint(bytes));
        Self {
            path: format!("/assets/{stem}.{hash}.{extension}"),
            etag: format!("W/\"{hash}\""),
            media_type,
            bytes,
            gzip: gzip(bytes),
        }
    }

    /// The content, compressed for a client that accepts that.
    fn response(&self, request: &HeaderMap) -> Response {
        let kind = [(header::CONTENT_TYPE, self.media_type)];
        if accepts_gzip(request) && !self.gzip.is_empty() {
            let coding = [(header::CONTENT_ENCODING, "gzip")];
            return (kind, coding, self.gzip.clone()).into_response();
        }
        (kind, self.bytes).into_response()
    }
}

/// Compressed; empty if that fails, which it does not into memory.
fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Bytes::from(written.unwrap_or_default())
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
        (status = 304, description = "The client has it already"),
        (status = 404, description = "There is another version by now")
    )
)]
pub(crate) async fn get(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let named = |asset: &&Asset| asset.path.strip_prefix("/assets/") == Some(file.as_str());
    let Some(asset) = [&*STYLESHEET, &*FAVICON].into_iter().find(named) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let current = Validators {
        etag: &asset.etag,
        // A file that is compiled in has none, and every name has one content for ever.
        last_modified: None,
    };
    let mut response = match conditional::evaluate(&headers, current) {
        // A file of another version has another name, so no `If-Match` can be meant for one.
        Precondition::Passed | Precondition::Failed => asset.response(&headers),
        Precondition::NotModified => StatusCode::NOT_MODIFIED.into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    set(header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    set(header::VARY, "accept-encoding");
    set(header::ETAG, &asset.etag);
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
