//! The base images: the public ones where a registry can be reached, otherwise images made here, by
//! debootstrap from Debian packages and from the Rust toolchain of this machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;

use crate::process::Variables;
use progress::Progress;
use tools::packages;
use tools::packages::debian_mirror;
use tools::packages::run_quietly;
use tools::workspace;

use super::docker::succeeds;
use super::engine::Engine;

/// A minimal Debian.
const RUNTIME: &str = "stack.local/debian:bookworm";
/// MySQL from Debian's unstable suite.
const MYSQL: &str = "stack.local/mysql:sid";
/// Python with `venv`.
const PYTHON: &str = "stack.local/python:bookworm";

/// The build arguments that name the base images: none where the defaults of the compose file can
/// be pulled. Without `compiler`, the image with the Rust toolchain is left out.
pub(super) fn obtain(
    engine: &Engine,
    compiler: bool,
    progress: Progress,
) -> anyhow::Result<Variables> {
    let toolchain = Toolchain::of_this_machine()?;
    let rust = format!("stack.local/rust:{}", toolchain.version);
    let mut images = vec![
        ("RUNTIME_IMAGE", RUNTIME),
        ("MYSQL_IMAGE", MYSQL),
        ("PYTHON_IMAGE", PYTHON),
    ];
    if compiler {
        images.push(("RUST_IMAGE", &rust));
    }
    let missing: Vec<&str> = images
        .iter()
        .map(|(_, image)| *image)
        .filter(|image| !exists(engine, image))
        .collect();
    if !missing.is_empty() {
        if registry_responds(engine) {
            return Ok(Variables::new());
        }
        progress.say("no image registry can be reached: base images are made from Debian packages");
    }
    for image in missing {
        make(engine, image, &toolchain, progress)?;
    }
    let named = |(name, image): (&str, &str)| (name.to_owned(), image.into());
    Ok(images.into_iter().map(named).collect())
}

fn make(
    engine: &Engine,
    image: &str,
    toolchain: &Toolchain,
    progress: Progress,
) -> anyhow::Result<()> {
    let mysql = "mysql-server-core,mysql-client-core";
    match image {
        RUNTIME => bootstrap(engine, "bookworm", "ca-certificates", image, progress),
        MYSQL => bootstrap(engine, "sid", mysql, image, progress),
        PYTHON => build(engine, "python", None, image, progress),
        _ => build(engine, "rust", Some(toolchain), image, progress),
    }
}

/// Whether the engine has an image of this name.
fn exists(engine: &Engine, image: &str) -> bool {
    succeeds(engine.docker(&["image", "inspect", image]))
}

/// Whether a registry can be reached. Pulls the smallest of the public images, which the build needs.
fn registry_responds(engine: &Engine) -> bool {
    succeeds(engine.docker(&["pull", "--quiet", "debian:bookworm-slim"]))
}

/// Makes an image of a Debian suite with packages.
fn bootstrap(
    engine: &Engine,
    suite: &str,
    packages: &str,
    image: &str,
    progress: Progress,
) -> anyhow::Result<()> {
    if !Path::new("/usr/sbin/debootstrap").exists() {
        packages::install(&["debootstrap"], progress)?;
    }
    let step = progress.step(&format!("making {image} (debootstrap {suite})"));
    let root = workspace::cache()?.join(format!("bootstrap-{suite}"));
    let _ = fs::remove_dir_all(&root);
    run_quietly(
        Command::new("debootstrap")
            .args(["--variant=minbase", &format!("--include={packages}"), suite])
            .arg(&root)
            .arg(debian_mirror()?),
    )?;
    let mut archive = Command::new("tar");
    archive.arg("--create").arg("--directory").arg(&root);
    for left_out in [
        "./dev",
        "./proc",
        "./sys",
        "./var/cache/apt",
        "./var/lib/apt/lists",
    ] {
        archive.arg(format!("--exclude={left_out}/*"));
    }
    for left_out in ["doc", "locale", "man"] {
        archive.arg(format!("--exclude=./usr/share/{left_out}/*"));
    }
    pipe(
        archive.arg("."),
        &mut engine.docker(&["import", "-", image]),
    )?;
    fs::remove_dir_all(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
    step.done();
    Ok(())
}

/// Builds a target of `infra/compose/bases/Dockerfile`.
fn build(
    engine: &Engine,
    target: &str,
    toolchain: Option<&Toolchain>,
    image: &str,
    progress: Progress,
) -> anyhow::Result<()> {
    let step = progress.step(&format!("making {image}"));
    let mut archive = Command::new("tar");
    archive.args(["--create", "--directory"]);
    archive
        .arg(workspace::root()?.join("infra/compose/bases"))
        .arg("Dockerfile");
    if let Some(toolchain) = toolchain {
        archive.arg("--directory").arg(&toolchain.root);
        archive.args(["bin/cargo", "bin/rustc", "bin/rustdoc", "lib"]);
    }
    let base = format!("DEBIAN_IMAGE={RUNTIME}");
    let arguments = [
        "build",
        "--build-arg",
        &base,
        "--target",
        target,
        "--tag",
        image,
        "-",
    ];
    pipe(&mut archive, &mut engine.docker(&arguments))?;
    step.done();
    Ok(())
}

/// Runs `from | into`. If one of them fails, the error has the output of `into`.
fn pipe(from: &mut Command, into: &mut Command) -> anyhow::Result<()> {
    let mut source = from
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("tar")?;
    let output = source
        .stdout
        .take()
        .context("the output of tar cannot be read")?;
    let target = into
        .stdin(output)
        .output()
        .context("docker cannot be started")?;
    let packed = source
        .wait()
        .context("the exit status of tar cannot be read")?;
    if !packed.success() || !target.status.success() {
        bail!(
            "docker ended with {}:\n{}",
            target.status,
            String::from_utf8_lossy(&target.stderr)
        );
    }
    Ok(())
}

/// The Rust toolchain of this machine.
struct Toolchain {
    version: String,
    root: String,
}

impl Toolchain {
    fn of_this_machine() -> anyhow::Result<Self> {
        let rustc = |arguments: &[&str]| -> anyhow::Result<String> {
            let output = Command::new("rustc")
                .args(arguments)
                .output()
                .context("rustc cannot be started")?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let version = rustc(&["--version"])?;
        let version = version
            .split(' ')
            .nth(1)
            .context("`rustc --version` prints no version")?;
        Ok(Self {
            version: version.to_owned(),
            root: rustc(&["--print", "sysroot"])?,
        })
    }
}
