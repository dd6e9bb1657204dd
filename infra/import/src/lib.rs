#![doc = include_str!("../README.md")]

mod check;
mod chunk;
mod head;
mod identifier;
mod index;
mod journal;
mod mapping;
mod names;
mod namespace;
mod order;
mod outcome;
mod phase;
mod prepare;
mod report;
mod response;
mod send;
mod source;
#[cfg(test)]
mod tests;
mod url;

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use futures::StreamExt;
use indicatif::ProgressBar;

use https_client::Credentials;
use https_client::HttpsClient;
use progress::Progress;

use chunk::Chunk;
use identifier::IdentifierElements;
use index::Index;
use journal::Journal;
use outcome::Outcome;
use phase::ImportPhase;
use send::Sender;

pub use check::check;
pub use mapping::IdMapping;
pub use order::in_order;
pub use outcome::Refusal;
pub use report::Report;
pub use source::EntryPosition;

/// Number of requests in flight.
const IN_FLIGHT: usize = 4;

/// Imports files into one organization of a running stack.
#[derive(Debug)]
pub struct Importer {
    sender: Sender,
    account: String,
    journals: PathBuf,
    progress: Progress,
    resend_all: bool,
    mapping: Option<Arc<IdMapping>>,
    identifiers: Arc<IdentifierElements>,
}

impl Importer {
    /// Imports through `client` as the account of `credentials`. `journals` is the folder in which acknowledged parts
    /// of files are recorded.
    #[must_use]
    pub fn new(
        client: HttpsClient,
        credentials: Credentials,
        journals: PathBuf,
        progress: Progress,
    ) -> Self {
        Self {
            account: credentials.email.clone(),
            sender: Sender::new(client, credentials),
            journals,
            progress,
            resend_all: false,
            mapping: None,
            identifiers: Arc::default(),
        }
    }

    /// Sends everything again, including what the journal has as acknowledged.
    #[must_use]
    pub fn resend_all(mut self, resend_all: bool) -> Self {
        self.resend_all = resend_all;
        self
    }

    /// Maps ids that are not UUIDs. Without a mapping, a file with such ids is refused before anything is sent.
    #[must_use]
    pub fn map_ids(mut self, mapping: Option<Arc<IdMapping>>) -> Self {
        if mapping.is_some() {
            self.identifiers = Arc::new(IdentifierElements::read());
        }
        self.mapping = mapping;
        self
    }

    /// Imports one file. What the journal has as acknowledged is not sent again.
    ///
    /// # Errors
    /// When the file cannot be read to its end, has ids that the stack does not take, the account may not import, or the
    /// stack is unavailable for longer than five minutes. A refused entry is not an error: the report lists it.
    pub async fn import(&self, file: &Path) -> anyhow::Result<Report> {
        let begun = Instant::now();
        let path = file.to_path_buf();
        let print = blocking(move || source::fingerprint(&path)).await?;
        let plan = chunk::plan(self.mapping.as_deref());
        let (folder, account) = (&self.journals, &self.account);
        let mut journal = Journal::open(folder, &print, &plan, account, self.resend_all)?;
        if let Some(contents) = journal.complete() {
            return Ok(Report::already(contents.clone()));
        }
        let step = self.progress.step(&format!("reading {}", file.display()));
        let path = file.to_path_buf();
        let mapping = self.mapping.clone();
        let index = blocking(move || Index::of(&path, mapping)).await?;
        index.check_ids()?;
        drop(step);
        let contents = index.contents();
        let mut report = Report::skipping(contents.skipped.clone());
        let bar = self.progress.bar(contents.kept.values().sum(), "resources");
        for phase in ImportPhase::ALL {
            self.import_phase(file, phase, &index, &mut journal, &mut report, &bar)
                .await?;
        }
        if report.refused.is_empty() {
            journal.conclude(contents)?;
        }
        bar.finish_and_clear();
        report.name_file(file);
        report.seconds = begun.elapsed().as_secs_f64();
        Ok(report)
    }

    async fn import_phase(
        &self,
        file: &Path,
        phase: ImportPhase,
        index: &Index,
        journal: &mut Journal,
        report: &mut Report,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        if !index.has(phase) {
            return Ok(());
        }
        let (chunks, reading) = chunk::read(
            file.to_path_buf(),
            phase,
            index.names(),
            Arc::clone(&self.identifiers),
        );
        let already = journal.acknowledged(phase);
        let responses = chunks.map(|chunk| {
            let known = already.get(&chunk.number);
            async move { self.import_chunk(chunk, known, bar).await }
        });
        let mut responses = std::pin::pin!(responses.buffer_unordered(IN_FLIGHT));
        while let Some(response) = responses.next().await {
            let response = response?;
            bar.inc(response.entries);
            let refused = response.refusals.iter().map(|refusal| refusal.place.entry);
            journal.acknowledge(phase, response.chunk, refused.collect())?;
            report.count(response);
            if !report.refused.is_empty() {
                bar.set_message(format!("({} refused)", report.refused.len()));
            }
        }
        reading.await.context("reading the file was cancelled")?
    }

    /// Sends a group. Of one that an earlier run sent, only what was refused then is sent again.
    async fn import_chunk(
        &self,
        mut chunk: Chunk,
        known: Option<&BTreeSet<u64>>,
        bar: &ProgressBar,
    ) -> anyhow::Result<Outcome> {
        let already = known.map_or_else(Vec::new, |refused| chunk.take_all_but(refused));
        let mut outcome = Outcome::of(&chunk, &already);
        if !chunk.entries.is_empty() {
            let say = |words: &str| bar.set_message(words.to_owned());
            self.sender.send(&chunk.entries, &mut outcome, &say).await?;
        }
        Ok(outcome)
    }
}

/// Runs blocking work on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .context("reading the file was cancelled")?
}

/// The id of the first Patient in a file.
///
/// # Errors
/// When the file cannot be read, or holds no Patient.
pub fn first_patient(file: &Path) -> anyhow::Result<String> {
    let mut found = None;
    source::each_item(file, &mut |item| {
        let head = head::Head::of(&item);
        if found.is_none() && head.resource_type.as_deref() == Some("Patient") {
            found = head.id;
        }
        Ok(())
    })?;
    found.with_context(|| format!("{} has no Patient", file.display()))
}

/// The files of the paths on the command line: a folder stands for the Bundles in it.
///
/// # Errors
/// When one does not exist, or a folder has no Bundle.
pub fn expand(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = path
            .read_dir()
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let mut found: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| source::Format::of(path).is_ok())
            .collect();
        anyhow::ensure!(!found.is_empty(), "{} has no Bundle", path.display());
        found.sort();
        files.extend(found);
    }
    Ok(files)
}
