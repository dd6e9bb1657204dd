//! Assets: caching, compression, and the colours of the style sheet.

use std::collections::HashMap;

use http::HeaderValue;
use http::header;

use super::*;

const STYLE: &str = include_str!("../../../../assets/style.css");

#[tokio::test]
async fn an_asset_is_served_under_its_hashed_name_only() {
    let file = stylesheet().trim_start_matches("/assets/").to_owned();
    let response = get(Path(file), HeaderMap::new()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.headers()[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(
        get(Path("style.css".to_owned()), HeaderMap::new())
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_asset_is_compressed_for_clients_that_accept_gzip() {
    let file = stylesheet().trim_start_matches("/assets/").to_owned();
    for (accepted, compressed) in [
        ("gzip, deflate, br", true),
        ("br;q=1.0, GZIP;q=0.5", true),
        ("gzip;q=0, br", false),
        ("br", false),
        ("", false),
    ] {
        let headers =
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
        let response = get(Path(file.clone()), headers).await;
        assert_eq!(response.headers()[header::VARY], "accept-encoding");
        let coded = response.headers().contains_key(header::CONTENT_ENCODING);
        assert_eq!(coded, compressed, "{accepted}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20);
        let body = body.await.unwrap();
        let content = if compressed {
            assert!(body.len() < STYLE.len() / 2);
            let mut text = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&body[..]);
            std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
            text
        } else {
            String::from_utf8(body.to_vec()).unwrap()
        };
        assert_eq!(content, STYLE);
    }
}

#[tokio::test]
async fn an_asset_that_the_client_has_is_not_sent_again() {
    let file = favicon().trim_start_matches("/assets/").to_owned();
    let first = get(Path(file.clone()), HeaderMap::new()).await;
    let etag = first.headers()[header::ETAG].clone();
    let get_with = async |name, value: &str| {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
        get(Path(file.clone()), headers).await
    };
    let tag = etag.to_str().unwrap();
    for known in [
        tag,
        tag.trim_start_matches("W/"),
        "*",
        &format!("\"a\", {tag}"),
    ] {
        let response = get_with(header::IF_NONE_MATCH, known).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
        for name in [header::ETAG, header::CACHE_CONTROL, header::VARY] {
            assert_eq!(response.headers()[&name], first.headers()[&name], "{name}");
        }
        assert!(!response.headers().contains_key(header::CONTENT_TYPE));
        let body = axum::body::to_bytes(response.into_body(), 1).await.unwrap();
        assert!(body.is_empty());
    }
    for (name, value) in [
        (header::IF_NONE_MATCH, "\"a\""),
        (header::IF_NONE_MATCH, "1"),
        (header::IF_MODIFIED_SINCE, "Fri, 31 Dec 2100 00:00:00 GMT"),
    ] {
        assert_eq!(
            get_with(name, value).await.status(),
            StatusCode::OK,
            "{value}"
        );
    }
}

#[test]
fn the_style_sheet_loads_nothing_from_elsewhere() {
    for forbidden in ["@import", "url(", "http:", "https:", "@font-face"] {
        assert!(!STYLE.contains(forbidden), "{forbidden}");
    }
}

/// WCAG 2.2, 1.4.3: 4.5 to 1 for text, in both colour schemes.
#[test]
fn text_has_the_required_contrast_in_both_colour_schemes() {
    let (light, dark) = STYLE
        .split_once("@media (prefers-color-scheme: dark)")
        .unwrap();
    for (scheme, css) in [("light", light), ("dark", dark)] {
        let colours = colours(css);
        for text in [
            "ink",
            "muted",
            "accent",
            "event",
            "problem",
            "treatment",
            "finding",
        ] {
            for ground in ["paper", "sheet"] {
                assert_contrast(scheme, &colours, text, ground);
            }
        }
        for pair in [
            "good",
            "bad",
            "info",
            "event",
            "problem",
            "treatment",
            "finding",
        ] {
            assert_contrast(scheme, &colours, pair, &format!("{pair}-soft"));
        }
        assert_contrast(scheme, &colours, "on-accent", "accent");
        assert_contrast(scheme, &colours, "ink", "hover");
        assert_contrast(scheme, &colours, "accent", "hover");
        assert_contrast(scheme, &colours, "muted", "hover");
    }
}

fn assert_contrast(scheme: &str, colours: &HashMap<&str, [f64; 3]>, text: &str, ground: &str) {
    let (a, b) = (luminance(colours[text]), luminance(colours[ground]));
    let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
    assert!(
        contrast >= 4.5,
        "{scheme}: {text} on {ground} is {contrast:.2}"
    );
}

fn colours(css: &str) -> HashMap<&str, [f64; 3]> {
    css.lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"))
        .map(|(name, hex)| {
            let channel = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (name, [0, 2, 4].map(|at| f64::from(channel(at)) / 255.0))
        })
        .collect()
}

fn luminance(channels: [f64; 3]) -> f64 {
    let [red, green, blue] = channels.map(|channel| {
        if channel <= 0.040_45 {
            channel / 12.92
        } else {
            ((channel + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}
