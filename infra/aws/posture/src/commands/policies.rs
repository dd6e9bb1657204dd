//! The rules about what policies allow, which a simulator answers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;

use anyhow::Context;
use anyhow::ensure;
use posture::Architecture;
use posture::iam::Batch;
use posture::iam::Catalogue;
use posture::rules::Verdict;

use progress::Progress;
use tools;

/// What they say of each architecture. All are asked about at once: mutants have most in common.
pub(super) fn judge(
    catalogue: &Catalogue,
    architectures: &BTreeMap<String, Architecture>,
    progress: Progress,
) -> anyhow::Result<BTreeMap<String, Vec<Verdict>>> {
    if architectures.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut batch = Batch::default();
    let mut asked = Vec::new();
    for (name, architecture) in architectures {
        asked.push((name.clone(), catalogue.questions(architecture, &mut batch)));
    }
    let answers = batch.answers(&answered(&batch, progress)?)?;
    let judged = asked.into_iter();
    Ok(judged
        .map(|(name, questions)| (name, questions.judge(&answers)))
        .collect())
}

fn answered(batch: &Batch, progress: Progress) -> anyhow::Result<Vec<u8>> {
    let mut simulator = tools::iam_simulate(progress)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("node cannot be started")?;
    let questions = batch.document().to_string();
    let input = simulator.stdin.take();
    let writing =
        thread::spawn(move || input.map(|mut input| input.write_all(questions.as_bytes())));
    let ended = simulator.wait_with_output()?;
    ensure!(
        ended.status.success(),
        "the policy simulator ended with {}",
        ended.status
    );
    // It read all, or it would have failed.
    drop(writing.join());
    Ok(ended.stdout)
}
