//! `MySQL` 9 from Debian's unstable suite: unpacked with all its libraries into the cache folder and started by its own
//! loader, so that it changes nothing on the system and needs no rights.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::bail;

use crate::server::Server;
use crate::server::version_of;
use crate::settings::Database;
use progress::Progress;
use tools::create_private_folder;
use tools::packages;
use tools::packages::run_quietly;
use tools::workspace;

/// The package that holds the server without a service.
const PACKAGE: &str = "mysql-server-core";

/// Finds the unpacked server or fetches it.
pub(super) fn obtain(progress: Progress) -> anyhow::Result<Server> {
    let folder = workspace::cache()?.join("mysql-server");
    let root = folder.join("root");
    if !root.is_dir() {
        let step = progress.step("fetching MySQL from Debian's unstable suite (60 MB)");
        fetch(&folder).context(
            "MySQL cannot be fetched. It needs apt-get, dpkg-deb and a Debian mirror in apt's \
             sources; `--database mariadb` needs none of them.",
        )?;
        step.done();
    }
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let mut search = libraries.clone().into_os_string();
    search.push(":");
    search.push(root.join("usr/lib/mysql/private"));
    let leading_arguments: Vec<OsString> = vec![
        "--library-path".into(),
        search,
        root.join("usr/sbin/mysqld").into(),
    ];
    let program = libraries.join("ld-linux-x86-64.so.2");
    let mut probe = Command::new(&program);
    probe.args(&leading_arguments);
    let version = version_of(probe).with_context(|| {
        format!(
            "the MySQL in {} does not start: remove that folder and try again",
            root.display()
        )
    })?;
    Ok(Server {
        kind: Database::Mysql,
        version,
        program,
        leading_arguments,
        path_options: path_options(&root),
    })
}

/// The options that point to files which its build expects under `/usr`.
fn path_options(root: &Path) -> Vec<String> {
    let at = |name: &str, path: &str| format!("{name} = {}", root.join(path).display());
    vec![
        at("basedir", "usr"),
        at("lc_messages_dir", "usr/share/mysql"),
        at("character_sets_dir", "usr/share/mysql/charsets"),
        at("plugin_dir", "usr/lib/mysql/plugin"),
    ]
}

/// Lets apt resolve and verify the server's packages as if nothing were installed, with a state of
/// its own, and unpacks them.
fn fetch(folder: &Path) -> anyhow::Result<()> {
    let apt = folder.join("apt");
    for part in ["state/lists/partial", "cache/archives/partial"] {
        create_private_folder(&apt.join(part))?;
    }
    fs::write(apt.join("state/status"), "").context("apt's state cannot be written")?;
    let mirror = packages::debian_mirror()?;
    fs::write(apt.join("sources.list"), format!("deb {mirror} sid main\n"))
        .context("apt's sources cannot be written")?;
    run_quietly(apt_get(&apt).arg("update"))?;
    run_quietly(apt_get(&apt).args([
        "--yes",
        "--no-install-recommends",
        "--download-only",
        "install",
        PACKAGE,
    ]))?;
    let unpacked = folder.join("unpacking");
    let _ = fs::remove_dir_all(&unpacked);
    create_private_folder(&unpacked)?;
    for archive in archives(&apt.join("cache/archives"))? {
        run_quietly(
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(&archive)
                .arg(&unpacked),
        )?;
    }
    fs::rename(&unpacked, folder.join("root")).context("the unpacked server cannot be named")?;
    fs::remove_dir_all(&apt).context("what was downloaded cannot be removed")
}

fn apt_get(apt: &Path) -> Command {
    let mut command = Command::new("apt-get");
    let option = |name: &str, path: PathBuf| format!("{name}={}", path.display());
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["--option", &option("Dir::State", apt.join("state"))])
        .args([
            "--option",
            &option("Dir::State::status", apt.join("state/status")),
        ])
        .args(["--option", &option("Dir::Cache", apt.join("cache"))])
        .args([
            "--option",
            &option("Dir::Etc::sourcelist", apt.join("sources.list")),
        ])
        .args(["--option", "Dir::Etc::sourceparts=/dev/null"])
        // Only root could change to apt's own user, and that user cannot enter the cache folder.
        .args(["--option", "APT::Sandbox::User=root"]);
    command
}

fn archives(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).context("apt left no archives")?;
    let archives: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    if archives.is_empty() {
        bail!("apt downloaded nothing");
    }
    Ok(archives)
}
