//! `cargo stack logs`: the lines that the processes log.

use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;

use crate::home::Home;

/// How much of the end of a log is shown, in bytes.
const TAIL: i64 = 16 * 1024;

struct Log {
    name: String,
    path: PathBuf,
    file: Option<File>,
    unfinished: Vec<u8>,
}

/// Passes the lines of one log, or of all, to `show`; with `follow` continues with new lines until dropped.
///
/// # Errors
/// When there is no such log.
pub async fn follow(
    home: &Home,
    only: Option<&str>,
    follow: bool,
    show: impl Fn(&str),
) -> anyhow::Result<()> {
    let mut logs = choose(home, only)?;
    let alone = logs.len() == 1;
    loop {
        for log in &mut logs {
            for line in log.new_lines()? {
                let line = String::from_utf8_lossy(&line).into_owned();
                if alone {
                    show(&line);
                } else {
                    show(&format!("{:>10} | {line}", log.name));
                }
            }
        }
        if !follow {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn choose(home: &Home, only: Option<&str>) -> anyhow::Result<Vec<Log>> {
    let folder = home.logs();
    let entries = folder.read_dir().with_context(|| {
        format!(
            "{} cannot be read: was a stack ever started there?",
            folder.display()
        )
    })?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".log")?.to_owned()))
        .collect();
    names.sort();
    if let Some(only) = only {
        if !names.iter().any(|name| name == only) {
            bail!("there is no log `{only}`; there are: {}", names.join(", "));
        }
        names.retain(|name| name == only);
    }
    let log = |name: String| Log {
        path: home.log(&name),
        name,
        file: None,
        unfinished: Vec::new(),
    };
    Ok(names.into_iter().map(log).collect())
}

impl Log {
    /// The lines since the last time; at first, the last ones.
    fn new_lines(&mut self) -> anyhow::Result<Vec<Vec<u8>>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(open_near_end(&self.path)?),
        };
        file.read_to_end(&mut self.unfinished)
            .context("the log cannot be read")?;
        let Some(end) = self.unfinished.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let rest = self.unfinished.split_off(end + 1);
        let whole = std::mem::replace(&mut self.unfinished, rest);
        let lines = whole
            .strip_suffix(b"\n")
            .unwrap_or(&whole)
            .split(|byte| *byte == b'\n');
        Ok(lines.map(<[u8]>::to_vec).collect())
    }
}

fn open_near_end(path: &std::path::Path) -> anyhow::Result<File> {
    let open = || -> std::io::Result<File> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() > TAIL.unsigned_abs() {
            file.seek(SeekFrom::End(-TAIL))?;
            let mut byte = [0_u8; 1];
            while file.read(&mut byte)? == 1 && byte != *b"\n" {}
        }
        Ok(file)
    };
    open().with_context(|| format!("{} cannot be read", path.display()))
}
