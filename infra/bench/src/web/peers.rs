//! The other proxies and the origin, each configured for the same work.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use load::Group;

use super::site::Proxy;
use super::site::Site;
use crate::pin;
use progress::Progress;
use tools::packages;

/// The names of the other proxies on the command line.
pub(super) const NAMES: [&str; 2] = ["nginx", "haproxy"];

/// Size of the origin's response bodies, in bytes.
pub(super) const RESPONSE_BYTES: usize = 1024;

/// Installs the load generator, and the origin that every proxy forwards to.
pub(super) fn provide_load() -> anyhow::Result<()> {
    packages::program("h2load", &["nghttp2-client"], Progress::shown())?;
    packages::program("nginx", &["nginx-core"], Progress::shown())?;
    Ok(())
}

/// The program of a peer, which is never installed for a benchmark.
fn installed(program: &str, package: &str) -> anyhow::Result<PathBuf> {
    packages::find(program).with_context(|| {
        format!("install it by `apt-get install --no-install-recommends {package}`")
    })
}

/// nginx of the system, with mutual TLS.
pub(super) fn origin(site: &Site) -> anyhow::Result<Proxy> {
    let path = installed("nginx", "nginx-core")?;
    let setup = Setup::new(site, "origin", 0)?;
    let file = setup.write("origin.conf", include_str!("peers/origin.conf"))?;
    let (title, port) = ("the origin".to_owned(), setup.port);
    let arguments = vec!["-c".into(), file.into(), "-p".into(), setup.folder.into()];
    Ok(Proxy {
        name: "origin",
        title,
        groups: Vec::new(),
        port,
        program: site.program("origin", pin::LOAD, &path, arguments, Vec::new()),
    })
}

/// Another proxy, configured.
pub(super) fn obtain(site: &Site, name: &'static str, number: usize) -> anyhow::Result<Proxy> {
    let setup = Setup::new(site, name, number)?;
    match name {
        "nginx" => nginx(setup, &installed("nginx", "nginx-core")?),
        "haproxy" => haproxy(setup),
        _ => bail!("there is no proxy {name}"),
    }
}

/// The folder of a proxy, and the values of its configuration.
struct Setup<'a> {
    site: &'a Site,
    name: &'static str,
    folder: PathBuf,
    port: u16,
}

impl<'a> Setup<'a> {
    fn new(site: &'a Site, name: &'static str, number: usize) -> anyhow::Result<Self> {
        let folder = site.home.root().join(name);
        fs::create_dir_all(folder.join("temporary"))
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let port = site.port(number)?;
        Ok(Self {
            site,
            name,
            folder,
            port,
        })
    }

    /// Writes a configuration with its values filled in.
    fn write(&self, name: &str, template: &str) -> anyhow::Result<PathBuf> {
        let display = |path: &Path| path.display().to_string();
        let text = template
            .replace("@FOLDER@", &display(&self.folder))
            .replace("@CERTS@", &display(&self.site.home.certificates()))
            .replace(
                "@LOG@",
                &display(&self.site.home.log(&format!("{}-access", self.name))),
            )
            .replace("@PORT@", &self.port.to_string())
            .replace("@ORIGIN@", &self.site.port(0)?.to_string())
            .replace("@BODY@", &"x".repeat(RESPONSE_BYTES));
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }

    /// Certificate and key of an identity in one file, as HAProxy wants them.
    fn join_pem(&self, identity: &str, name: &str) -> anyhow::Result<()> {
        let read = |suffix: &str| {
            let path = self.site.home.certificate(&format!("{identity}.{suffix}"));
            fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
        };
        let both = read("pem")? + &read("key")?;
        stack::write_private(&self.folder.join(name), both.as_bytes())
    }

    fn proxy(
        self,
        title: String,
        groups: Vec<Group>,
        path: &Path,
        arguments: &[&str],
        file: &Path,
    ) -> Proxy {
        let arguments = arguments
            .iter()
            .map(|argument| match *argument {
                "@FILE@" => file.into(),
                "@FOLDER@" => self.folder.clone().into_os_string(),
                other => other.into(),
            })
            .collect();
        let program = self
            .site
            .program(self.name, pin::MEASURED, path, arguments, Vec::new());
        Proxy {
            name: self.name,
            title,
            groups,
            port: self.port,
            program,
        }
    }
}

fn nginx(setup: Setup<'_>, path: &Path) -> anyhow::Result<Proxy> {
    let version = version(path, "nginx/")?;
    // Since 1.25.1, HTTP/2 is a directive of its own.
    let newer = version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse::<u16>().ok())
        .is_some_and(|minor| minor > 25);
    let (listen, directive) = if newer {
        ("", "http2 on;")
    } else {
        (" http2", "")
    };
    let template = include_str!("peers/nginx.conf")
        .replace("@LISTEN_HTTP2@", listen)
        .replace("@HTTP2@", directive);
    let file = setup.write("nginx.conf", &template)?;
    let title = format!("nginx {version} (Debian)");
    Ok(setup.proxy(
        title,
        vec![Group::X25519],
        path,
        &["-c", "@FILE@", "-p", "@FOLDER@"],
        &file,
    ))
}

fn haproxy(setup: Setup<'_>) -> anyhow::Result<Proxy> {
    let path = installed("haproxy", "haproxy")?;
    let version = version(&path, "version ")?;
    let version = version.split('-').next().unwrap_or_default().to_owned();
    setup.join_pem("public/web", "public.pem")?;
    setup.join_pem("internal/web", "internal.pem")?;
    let file = setup.write("haproxy.cfg", include_str!("peers/haproxy.cfg"))?;
    let title = format!("HAProxy {version} (Debian)");
    Ok(setup.proxy(title, vec![Group::X25519], &path, &["-f", "@FILE@"], &file))
}

/// The word after `before` in what `program -v` prints.
fn version(program: &Path, before: &str) -> anyhow::Result<String> {
    let output = Command::new(program)
        .arg("-v")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let output_text = [output.stdout, output.stderr].concat();
    let output_text = String::from_utf8_lossy(&output_text).into_owned();
    output_text
        .split_once(before)
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map(str::to_owned)
        .with_context(|| format!("{} prints no version for -v", program.display()))
}
