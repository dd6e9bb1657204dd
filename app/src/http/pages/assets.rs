//! The style sheet and the icon, compiled in. Their names contain a hash of their content, so that
//! browsers can cache them without revalidation.

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

/// A static file.
struct Asset {
    path: String,
    /// The entity tag, weak because it is the same with and without compression (RFC 9110, 8.8.3).
    etag: String,
    media_type: &'static str,
    bytes: &'static [u8],
    /// The content compressed with gzip. Only assets are compressed: the length of a compressed response
    /// that contains a secret and client input would disclose the secret (BREACH).
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

    /// The response with the content, compressed if the client accepts gzip.
    fn response(&self, request: &HeaderMap) -> Response {
        let media_type = [(header::CONTENT_TYPE, self.media_type)];
        if accepts_gzip(request) && !self.gzip.is_empty() {
            let coding = [(header::CONTENT_ENCODING, "gzip")];
            return (media_type, coding, self.gzip.clone()).into_response();
        }
        (media_type, self.bytes).into_response()
    }
}

/// The bytes compressed with gzip; empty on failure, which cannot occur in memory.
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

/// The path of the style sheet.
pub(crate) fn stylesheet() -> &'static str {
    &STYLESHEET.path
}

/// The path of the icon.
pub(crate) fn favicon() -> &'static str {
    &FAVICON.path
}

/// The path parameter of an asset.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: the handler extracts the path as text")]
pub(crate) struct FilePath {
    /// The file name, which contains a hash of the content.
    #[param(schema_with = names)]
    file: String,
}

/// The schema of the file names, with any hash.
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
        (status = 200, description = "The file, which can be cached without revalidation", content(("text/css"), ("image/svg+xml"))),
        (status = 304, description = "The client has the current file"),
        (status = 404, description = "The file has another version now")
    )
)]
pub(crate) async fn get(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let named = |asset: &&Asset| asset.path.strip_prefix("/assets/") == Some(file.as_str());
    let Some(asset) = [&*STYLESHEET, &*FAVICON].into_iter().find(named) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let current = Validators {
        etag: &asset.etag,
        // A compiled-in file has no modification time.
        last_modified: None,
    };
    let mut response = match conditional::evaluate(&headers, current) {
        // `If-Match` cannot fail meaningfully: another version of a file has another name.
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

/// FNV-1a, 64 bits. It only distinguishes versions of these files; it has no security purpose.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
