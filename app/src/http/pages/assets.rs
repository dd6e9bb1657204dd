//! The style sheet, the scripts and the icon, compiled in. Their names contain a hash of their content, so that
//! browsers can cache them without revalidation.

use std::sync::LazyLock;

use access::NotPhi;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::StatusCode;
use sha2::Digest as _;
use sha2::Sha256;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Type;

use crate::http::fixed_document::FixedDocument;
use crate::http::fixed_document::Freshness;
use crate::http::fixed_document::hash;

/// A static file.
struct Asset {
    path: String,
    document: FixedDocument,
}

impl Asset {
    fn new(
        (stem, extension): (&str, &str),
        media_type: &'static str,
        bytes: &'static [u8],
    ) -> Self {
        let content = NotPhi::assert(Bytes::from_static(bytes), "a file of the build");
        Self {
            path: format!("/assets/{stem}.{}.{extension}", hash(bytes)),
            document: FixedDocument::new(media_type, content),
        }
    }
}

/// Stem and extension of the style sheet's name.
const STYLE: (&str, &str) = ("style", "css");
/// Stem and extension of the name of the script of all pages.
const SCRIPT: (&str, &str) = ("page", "js");
/// Stem and extension of the name of the script of pages with passkeys.
const PASSKEY_SCRIPT: (&str, &str) = ("passkey", "js");
/// Stem and extension of the icon's name.
const ICON: (&str, &str) = ("favicon", "svg");

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        STYLE,
        "text/css; charset=utf-8",
        include_bytes!("../../../assets/style.css"),
    )
});
const SCRIPT_BYTES: &[u8] = include_bytes!("../../../assets/page.js");
static SCRIPT_ASSET: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(SCRIPT, "text/javascript; charset=utf-8", SCRIPT_BYTES));
static SCRIPT_INTEGRITY: LazyLock<String> = LazyLock::new(|| integrity(SCRIPT_BYTES));
const PASSKEY_SCRIPT_BYTES: &[u8] = include_bytes!("../../../assets/passkey.js");
static PASSKEY_SCRIPT_ASSET: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        PASSKEY_SCRIPT,
        "text/javascript; charset=utf-8",
        PASSKEY_SCRIPT_BYTES,
    )
});
static PASSKEY_SCRIPT_INTEGRITY: LazyLock<String> =
    LazyLock::new(|| integrity(PASSKEY_SCRIPT_BYTES));
static FAVICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        ICON,
        "image/svg+xml",
        include_bytes!("../../../assets/favicon.svg"),
    )
});

/// The hash of a script, which the browser compares (Subresource Integrity).
fn integrity(script: &[u8]) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(script)))
}

/// The path of the style sheet.
pub(crate) fn stylesheet() -> &'static str {
    &STYLESHEET.path
}

/// The path of the script of all pages.
pub(crate) fn script() -> &'static str {
    &SCRIPT_ASSET.path
}

/// The integrity of the script of all pages.
pub(crate) fn script_integrity() -> &'static str {
    &SCRIPT_INTEGRITY
}

/// The path of the script of pages with passkeys.
pub(crate) fn passkey_script() -> &'static str {
    &PASSKEY_SCRIPT_ASSET.path
}

/// The integrity of the script of pages with passkeys.
pub(crate) fn passkey_script_integrity() -> &'static str {
    &PASSKEY_SCRIPT_INTEGRITY
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
    let names = [STYLE, SCRIPT, PASSKEY_SCRIPT, ICON]
        .map(|(stem, extension)| format!("{stem}\\.{hash}\\.{extension}"));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^({})$", names.join("|"))))
        .build()
}

/// The style sheet, the scripts and the icon.
#[utoipa::path(
    get,
    path = "/assets/{file}",
    operation_id = "pages.asset",
    params(FilePath),
    responses(
        (status = 200, description = "The file, which can be cached without revalidation", content(("text/css"), ("text/javascript"), ("image/svg+xml"))),
        (status = 304, description = "The client has the current file"),
        (status = 404, description = "The file has another version now")
    )
)]
pub(crate) async fn get(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let named = |asset: &&Asset| asset.path.strip_prefix("/assets/") == Some(file.as_str());
    let assets = [
        &*STYLESHEET,
        &*SCRIPT_ASSET,
        &*PASSKEY_SCRIPT_ASSET,
        &*FAVICON,
    ];
    let Some(asset) = assets.into_iter().find(named) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    asset.document.response(&headers, Freshness::Immutable)
}

#[cfg(test)]
mod tests;
