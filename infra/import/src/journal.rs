//! The journal of an import: the groups that the server acknowledged, in one file per imported file. It has no file name
//! and no content, because the names of patients' files are often the patients' names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;
use tempfile::NamedTempFile;
use tools::create_private_folder;

use super::phase::ImportPhase;

/// Names the grouping; another grouping makes a journal void.
const PLAN: &str = "100 entries, 4 MiB";

/// The acknowledged groups of one file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    record: Record,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    plan: String,
    /// By account, since each organization has a copy of its own; then by phase.
    acknowledged: BTreeMap<String, BTreeMap<String, BTreeSet<u32>>>,
    /// By account: the contents of the file, once all of it was acknowledged.
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
    /// Opens the journal of a file, or creates it.
    pub(super) fn open(
        folder: &Path,
        print: &str,
        account: &str,
        resend_all: bool,
    ) -> anyhow::Result<Self> {
        create_private_folder(folder)?;
        let path = folder.join(format!("{print}.json"));
        let read = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut record: Record = read
            .filter(|record: &Record| record.plan == PLAN)
            .unwrap_or_default();
        PLAN.clone_into(&mut record.plan);
        account.clone_into(&mut record.account);
        if resend_all {
            record.acknowledged.remove(account);
            record.complete.remove(account);
        }
        Ok(Self { path, record })
    }

    /// The groups of a phase that earlier runs acknowledged.
    pub(super) fn acknowledged(&self, phase: ImportPhase) -> BTreeSet<u32> {
        let phases = self.record.acknowledged.get(&self.record.account);
        phases
            .and_then(|phases| phases.get(phase.word()))
            .cloned()
            .unwrap_or_default()
    }

    /// The contents of the file, if all of it was acknowledged.
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
    pub(super) fn acknowledge(&mut self, phase: ImportPhase, chunk: u32) -> anyhow::Result<()> {
        let phases = self
            .record
            .acknowledged
            .entry(self.record.account.clone())
            .or_default();
        if !phases
            .entry(phase.word().to_owned())
            .or_default()
            .insert(chunk)
        {
            return Ok(());
        }
        self.write()
    }

    fn write(&self) -> anyhow::Result<()> {
        let json = serde_json::to_vec(&self.record).context("the journal in JSON")?;
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
    fn a_group_that_one_account_imported_is_not_acknowledged_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let open = |account, resend_all| {
            Journal::open(folder.path(), "ab12", account, resend_all).unwrap()
        };
        open("a@x", false)
            .acknowledge(ImportPhase::Charts, 3)
            .unwrap();
        assert_eq!(
            open("a@x", false).acknowledged(ImportPhase::Charts),
            BTreeSet::from([3])
        );
        assert!(
            open("a@x", false)
                .acknowledged(ImportPhase::Patients)
                .is_empty()
        );
        assert!(
            open("b@x", false)
                .acknowledged(ImportPhase::Charts)
                .is_empty()
        );
        assert!(
            open("a@x", true)
                .acknowledged(ImportPhase::Charts)
                .is_empty()
        );
    }
}
