//! What the tiers take: memory when idle, disk as release binaries. The peer is the database
//! server of the same stack.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::figures::Figures;
use super::place::Place;
use stack::process::ProcessId;

const MIB: f64 = 1024.0 * 1024.0;

/// Resident memory right after a start.
pub(super) async fn memory(place: &mut Place, figures: &mut Figures) -> anyhow::Result<()> {
    for name in ["web", "app"] {
        place.stack.stop(name).await?;
    }
    for name in ["app", "web"] {
        place.stack.start(name).await?;
    }
    let status = place.stack.status()?;
    let database = resident(status.database.pid)?;
    for (name, pid) in [("web", status.web.pid), ("app", status.app.pid)] {
        let what = format!("resident memory of {name}, idle");
        figures.add(
            &what,
            resident(pid)?,
            "MiB",
            ("the database server", database),
        );
    }
    Ok(())
}

/// Size of each binary.
pub(super) fn size(place: &Place, figures: &mut Figures) -> anyhow::Result<()> {
    let status = place.stack.status()?;
    let pid = status
        .database
        .pid
        .context("the database server does not run")?;
    let server = fs::read_link(format!("/proc/{pid}/exe")).context("its program is not known")?;
    let server = mebibytes(&server)?;
    for name in ["web", "app", "migrate"] {
        let what = format!("size of {name}");
        let own = mebibytes(&place.binaries.join(name))?;
        figures.add(&what, own, "MiB", ("the database server", server));
    }
    Ok(())
}

pub(super) fn resident(pid: Option<i32>) -> anyhow::Result<f64> {
    let process = pid
        .and_then(ProcessId::of)
        .context("the process does not run")?;
    let bytes = process
        .resident_bytes()
        .context("/proc does not show its memory")?;
    number(bytes)
}

fn mebibytes(path: &Path) -> anyhow::Result<f64> {
    let metadata = fs::metadata(path).with_context(|| format!("{} is missing", path.display()))?;
    number(metadata.len())
}

fn number(bytes: u64) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(bytes / 1024).context("the size is 4 TiB or more")?) * 1024.0 / MIB)
}
