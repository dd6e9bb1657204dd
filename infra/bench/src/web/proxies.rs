//! The proxies that are measured.

use std::ffi::OsString;
use std::path::Path;

use load::Group;

use super::Options;
use super::peers;
use super::site::Proxy;
use super::site::Site;
use crate::pin;

/// The installed proxies, web first; and the missing ones, with the reason.
pub(super) fn all(site: &Site, options: &Options) -> anyhow::Result<(Vec<Proxy>, Vec<String>)> {
    let mut there = vec![web(site, "web", "web".to_owned(), &site.web, 1)?];
    if let Some(baseline) = &site.baseline {
        there.push(web(
            site,
            "baseline",
            "web, baseline".to_owned(),
            baseline,
            3,
        )?);
    }
    let mut missing = Vec::new();
    for (number, name) in (5..).zip(peers::NAMES) {
        if !options.measures_beside(name) {
            continue;
        }
        match peers::obtain(site, name, number) {
            Ok(proxy) => there.push(proxy),
            Err(error) => missing.push(format!("{name} is missing: {error:#}")),
        }
    }
    Ok((there, missing))
}

/// web with every policy on. Only the limits of one client are raised, since all load has one address.
fn web(
    site: &Site,
    name: &'static str,
    title: String,
    path: &Path,
    port: usize,
) -> anyhow::Result<Proxy> {
    let (listen, redirect) = (site.port(port)?, site.port(port + 1)?);
    let file = |name: &str| site.home.certificate(name).into_os_string();
    let variables: Vec<(&str, OsString)> = vec![
        ("WEB_LISTEN", format!("127.0.0.1:{listen}").into()),
        (
            "WEB_REDIRECT_LISTEN",
            format!("127.0.0.1:{redirect}").into(),
        ),
        (
            "WEB_PUBLIC_ORIGIN",
            format!("https://localhost:{listen}").into(),
        ),
        ("WEB_TLS_CERTIFICATE_FILE", file("public/web.pem")),
        ("WEB_TLS_KEY_FILE", file("public/web.key")),
        (
            "WEB_UPSTREAMS",
            format!("127.0.0.1:{}", site.port(0)?).into(),
        ),
        ("WEB_UPSTREAM_NAME", "app.internal".into()),
        ("WEB_UPSTREAM_IDENTITY", stack::identity("app").into()),
        ("WEB_UPSTREAM_CA_FILE", file("internal/ca.pem")),
        ("WEB_UPSTREAM_CERTIFICATE_FILE", file("internal/web.pem")),
        ("WEB_UPSTREAM_KEY_FILE", file("internal/web.key")),
        ("WEB_WORKERS", "1".into()),
        ("TOKIO_WORKER_THREADS", "1".into()),
        ("WEB_REQUESTS_PER_MINUTE", "1000000000".into()),
        ("WEB_HANDSHAKES_PER_SECOND", "1000000".into()),
        ("WEB_CONNECTIONS_PER_CLIENT", "1000".into()),
    ];
    let variables = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok(Proxy {
        name,
        title,
        groups: vec![Group::X25519, Group::MlKem],
        port: listen,
        program: site.program(name, pin::MEASURED, path, Vec::new(), variables),
    })
}
