//! The rules on IAM policies. A policy simulator evaluates them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use anyhow::Context;
use anyhow::ensure;
use posture::Architecture;
use posture::Verdict;
use posture::iam::Batch;
use posture::iam::PolicyExpectations;

use progress::Progress;
use tools::NODE;
use tools::Npm;

/// A simulator of IAM policy evaluation. Its licence is the AGPL: it runs unmodified in a process of its own, and is
/// not part of anything that is shipped.
const IAM_SIMULATE: Npm = Npm {
    name: "iam-simulate-0.1.173",
    node: NODE,
    files: &[
        (
            "package.json",
            include_str!("../../programs/iam-simulate/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../../programs/iam-simulate/package-lock.json"),
        ),
    ],
};

/// The script that drives the simulator. Not installed with it, so that it is never an outdated copy.
const SCRIPT: &str = include_str!("../../programs/iam-simulate/simulate.mjs");

/// The verdicts of the policy rules on each architecture. One run of the simulator evaluates all architectures, because
/// mutants share most of their requests.
pub(super) fn evaluate(
    expectations: &PolicyExpectations,
    architectures: &BTreeMap<String, Architecture>,
    progress: Progress,
) -> anyhow::Result<BTreeMap<String, Vec<Verdict>>> {
    if architectures.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut batch = Batch::default();
    let mut pending = Vec::new();
    for (name, architecture) in architectures {
        pending.push((name.clone(), expectations.queries(architecture, &mut batch)));
    }
    let results = batch.results(&simulated(&batch, progress)?)?;
    let evaluated = pending.into_iter();
    Ok(evaluated
        .map(|(name, queries)| (name, queries.evaluate(&results)))
        .collect())
}

/// The simulator's output for a batch.
fn simulated(batch: &Batch, progress: Progress) -> anyhow::Result<Vec<u8>> {
    let mut simulator = simulator(progress)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("node cannot be started")?;
    let queries = batch.document().to_string();
    let input = simulator.stdin.take();
    // A thread of its own writes, so that two full pipes cannot block both processes.
    let writer = thread::spawn(move || input.map(|mut input| input.write_all(queries.as_bytes())));
    let output = simulator.wait_with_output()?;
    ensure!(
        output.status.success(),
        "the policy simulator ended with {}",
        output.status
    );
    // A write error needs no report: the simulator fails on incomplete input.
    drop(writer.join());
    Ok(output.stdout)
}

/// A command that starts the simulator. It reads requests from standard input and prints the results.
fn simulator(progress: Progress) -> anyhow::Result<Command> {
    let folder = IAM_SIMULATE.obtain(progress)?;
    let mut command = IAM_SIMULATE.node(progress)?;
    command
        .current_dir(folder)
        .args(["--input-type=module", "--eval", SCRIPT]);
    Ok(command)
}
