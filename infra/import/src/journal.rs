//! The record of what was acknowledged, one file per imported file. It holds no name and no
//! content: names of patients' files are often the patients' names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::kind::Wave;

/// Changes when groups are made differently.
const PLAN: &str = "100 entries, 4 MiB";

/// What was acknowledged of one file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    record: Record,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    plan: String,
    /// Per account, since each organization has its own copy; then per wave.
    acknowledged: BTreeMap<String, BTreeMap<String, BTreeSet<u32>>>,
    /// Per account: what was in the file, once all of it was acknowledged.
    #[serde(default)]
    complete: BTreeMap<String, Contents>,
    #[serde(skip)]
    account: String,
}

/// How many resources of each type a file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) kept: BTreeMap<String, u64>,
    pub(super) skipped: BTreeMap<String, u64>,
}

impl Journal {
    /// Opens the record of a file, or begins one.
    pub(super) fn open(
        folder: &Path,
        print: &str,
        account: &str,
        afresh: bool,
    ) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let path = folder.join(format!("{print}.json"));
        let read = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut record: Record = read
            .filter(|record: &Record| record.plan == PLAN)
            .unwrap_or_default();
        PLAN.clone_into(&mut record.plan);
        account.clone_into(&mut record.account);
        if afresh {
            record.acknowledged.remove(account);
            record.complete.remove(account);
        }
        Ok(Self { path, record })
    }

    /// The groups of a wave that were acknowledged before.
    pub(super) fn acknowledged(&self, wave: Wave) -> BTreeSet<u32> {
        let waves = self.record.acknowledged.get(&self.record.account);
        waves
            .and_then(|waves| waves.get(wave.word()))
            .cloned()
            .unwrap_or_default()
    }

    /// What the file holds, if all of it was acknowledged before.
    pub(super) fn complete(&self) -> Option<&Contents> {
        self.record.complete.get(&self.record.account)
    }

    /// Records that all of the file was acknowledged.
    pub(super) fn conclude(&mut self, contents: Contents) -> anyhow::Result<()> {
        self.record
            .complete
            .insert(self.record.account.clone(), contents);
        self.write()
    }

    /// Records a group as acknowledged.
    pub(super) fn acknowledge(&mut self, wave: Wave, chunk: u32) -> anyhow::Result<()> {
        let waves = self
            .record
            .acknowledged
            .entry(self.record.account.clone())
            .or_default();
        if !waves
            .entry(wave.word().to_owned())
            .or_default()
            .insert(chunk)
        {
            return Ok(());
        }
        self.write()
    }

    fn write(&self) -> anyhow::Result<()> {
        let json = serde_json::to_vec(&self.record).context("the import's record")?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            // Mode 0600, and renamed when whole: a journal is either the old one or the new one.
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(&json)?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_account_imported_is_not_taken_for_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let open = |account, afresh| Journal::open(folder.path(), "ab12", account, afresh).unwrap();
        open("a@x", false).acknowledge(Wave::Charts, 3).unwrap();
        assert_eq!(
            open("a@x", false).acknowledged(Wave::Charts),
            BTreeSet::from([3])
        );
        assert!(open("a@x", false).acknowledged(Wave::Patients).is_empty());
        assert!(open("b@x", false).acknowledged(Wave::Charts).is_empty());
        assert!(open("a@x", true).acknowledged(Wave::Charts).is_empty());
    }
}
