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

/// The acknowledged groups of one file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    record: Record,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// Names the grouping and the ids: another plan makes a journal void.
    plan: String,
    /// By account, since each organization has a copy of its own; then by phase and group: the numbers of the entries
    /// that were refused. All others of the group are stored.
    acknowledged: BTreeMap<String, BTreeMap<String, BTreeMap<u32, BTreeSet<u64>>>>,
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
    /// Opens the journal of a file for a plan, or creates it.
    pub(super) fn open(
        folder: &Path,
        print: &str,
        plan: &str,
        account: &str,
        resend_all: bool,
    ) -> anyhow::Result<Self> {
        create_private_folder(folder)?;
        let path = folder.join(format!("{print}.json"));
        let read = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut record: Record = read
            .filter(|record: &Record| record.plan == plan)
            .unwrap_or_default();
        plan.clone_into(&mut record.plan);
        account.clone_into(&mut record.account);
        if resend_all {
            record.acknowledged.remove(account);
            record.complete.remove(account);
        }
        Ok(Self { path, record })
    }

    /// The groups of a phase that earlier runs acknowledged, each with the entries that were refused.
    pub(super) fn acknowledged(&self, phase: ImportPhase) -> BTreeMap<u32, BTreeSet<u64>> {
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

    /// Records a group as acknowledged but for the entries that were refused.
    pub(super) fn acknowledge(
        &mut self,
        phase: ImportPhase,
        chunk: u32,
        refused: BTreeSet<u64>,
    ) -> anyhow::Result<()> {
        let phases = self
            .record
            .acknowledged
            .entry(self.record.account.clone())
            .or_default();
        let groups = phases.entry(phase.word().to_owned()).or_default();
        let earlier = groups.insert(chunk, refused.clone());
        if earlier == Some(refused) {
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

    fn open(folder: &Path, plan: &str, account: &str, resend_all: bool) -> Journal {
        Journal::open(folder, "ab12", plan, account, resend_all).unwrap()
    }

    #[test]
    fn a_group_that_one_account_imported_is_not_acknowledged_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let acknowledged = |plan, account, phase, resend_all| {
            open(folder.path(), plan, account, resend_all).acknowledged(phase)
        };
        let groups = BTreeMap::from([(3, BTreeSet::from([301]))]);
        open(folder.path(), "p", "a@x", false)
            .acknowledge(ImportPhase::Charts, 3, BTreeSet::from([301]))
            .unwrap();
        assert_eq!(acknowledged("p", "a@x", ImportPhase::Charts, false), groups);
        assert!(acknowledged("p", "a@x", ImportPhase::Patients, false).is_empty());
        assert!(acknowledged("p", "b@x", ImportPhase::Charts, false).is_empty());
        assert!(acknowledged("q", "a@x", ImportPhase::Charts, false).is_empty());
        assert!(acknowledged("p", "a@x", ImportPhase::Charts, true).is_empty());
    }

    #[test]
    fn a_journal_of_an_earlier_version_is_void() {
        let folder = tempfile::tempdir().unwrap();
        let old = r#"{"plan":"p","acknowledged":{"a@x":{"charts":[1,2]}}}"#;
        fs::write(folder.path().join("ab12.json"), old).unwrap();
        assert!(
            open(folder.path(), "p", "a@x", false)
                .acknowledged(ImportPhase::Charts)
                .is_empty()
        );
    }
}
