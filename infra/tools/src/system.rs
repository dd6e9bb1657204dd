//! A Debian system in a folder of the cache, to start a service manager in.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::once;
use crate::packages;
use crate::packages::debian_mirror;
use crate::packages::run_quietly;
use progress::Progress;

/// The packages of a machine image, as far as Debian has them; without the AWS CLI.
const PACKAGES: &str = "ca-certificates,dbus,e2fsprogs,jq,libseccomp2,openssl,systemd,systemd-sysv";

/// The release that machines run, where this machine's own is not another: what is built here needs the
/// C library that it is built with.
const SUITE: &str = "bookworm";

/// The root of a Debian system with systemd, made once. It must not be changed: use it as the lower layer of an overlay.
///
/// # Errors
/// When the packages are not available; `debootstrap` needs root's rights.
pub fn system(progress: Progress) -> anyhow::Result<PathBuf> {
    let suite = own_suite().unwrap_or_else(|| SUITE.to_owned());
    let folder = once(&format!("system-{suite}-1"), |folder| {
        packages::program("debootstrap", &["debootstrap"], progress)?;
        let step = progress.step(&format!("making a Debian system (debootstrap {suite})"));
        std::fs::create_dir_all(folder).context("no folder for a Debian system")?;
        run_quietly(
            Command::new("debootstrap")
                .args([
                    "--variant=minbase",
                    &format!("--include={PACKAGES}"),
                    &suite,
                ])
                .arg(folder.join("root"))
                .arg(debian_mirror()?),
        )?;
        step.done();
        Ok(())
    })?;
    Ok(folder.join("root"))
}

/// The name of this machine's own Debian release.
fn own_suite() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let value = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        })
    };
    (value("ID")? == "debian").then(|| value("VERSION_CODENAME"))?
}
