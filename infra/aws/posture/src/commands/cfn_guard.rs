//! cfn-guard, which evaluates the rules of `rules/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use posture::Architecture;
use posture::RuleScope;
use posture::Verdict;
use posture::guard;

use progress::Progress;
use tools::Crate;

/// The program, in the version that the rules are written for. Optimized, because it reads large documents hundreds of
/// times.
const CFN_GUARD: Crate = Crate {
    name: "cfn-guard",
    version: "3.2.1",
    optimized: true,
};

/// The name of the document without a fault, beside the mutants.
const ORIGINAL: &str = "original";

/// The program, and a temporary folder for its documents.
pub(super) struct CfnGuard {
    program: PathBuf,
    documents: tempfile::TempDir,
}

impl CfnGuard {
    /// Installs cfn-guard if it is missing.
    ///
    /// # Errors
    /// When it cannot be built.
    pub(super) fn obtain(progress: Progress) -> anyhow::Result<Self> {
        Ok(Self {
            program: CFN_GUARD.obtain(progress)?,
            documents: tempfile::tempdir().context("a temporary folder cannot be created")?,
        })
    }

    /// The verdicts of the rules of some files on each document, by the document's name.
    pub(super) fn evaluate(
        &self,
        files: &[&Path],
        documents: &BTreeMap<String, Architecture>,
    ) -> anyhow::Result<BTreeMap<String, Vec<Verdict>>> {
        let folder = self.temporary_folder()?;
        for (name, architecture) in documents {
            let path = folder.path().join(format!("{name}.json"));
            fs::write(&path, architecture.document().to_string())
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        let mut all: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
        for file in files {
            let report = self.report(file, folder.path())?;
            let verdicts = guard::verdicts(&report).with_context(|| file.display().to_string())?;
            for (document, verdicts) in verdicts {
                let name = Path::new(&document).file_stem().unwrap_or_default();
                let name = name.to_string_lossy().into_owned();
                all.entry(name).or_default().extend(verdicts);
            }
        }
        Ok(all)
    }

    /// The verdicts of one rule of a file on each document. Where the rule's text allows it, documents are restricted
    /// to the scope of the rule, which is several times as fast. If the rule does not hold on the restricted
    /// `original`, which has no fault, the scope is too narrow and the whole documents are evaluated.
    pub(super) fn evaluate_rule(
        &self,
        file: &Path,
        rule: &str,
        documents: &BTreeMap<String, Architecture>,
        original: &Architecture,
    ) -> anyhow::Result<BTreeMap<String, Vec<Verdict>>> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let isolated = guard::isolate_rule(&text, rule);
        let folder = self.temporary_folder()?;
        let path = folder.path().join("isolated.guard");
        fs::write(&path, &isolated)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        if let Some(scope) = RuleScope::parse(&isolated) {
            let mut restricted: BTreeMap<_, _> = documents
                .iter()
                .map(|(name, document)| (name.clone(), scope.restrict(document)))
                .collect();
            restricted.insert(ORIGINAL.to_owned(), scope.restrict(original));
            let mut verdicts = self.evaluate(&[&path], &restricted)?;
            let of_original = verdicts.remove(ORIGINAL).unwrap_or_default();
            if !of_original.is_empty() && of_original.iter().all(|verdict| verdict.passed) {
                return Ok(verdicts);
            }
        }
        self.evaluate(&[&path], documents)
    }

    /// Runs the unit cases of a rule file. Returns the failed cases; none if all pass.
    pub(super) fn unit_cases(&self, file: &Path) -> anyhow::Result<Option<String>> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let cases = file
            .with_file_name("tests")
            .join(format!("{name}_tests.yaml"));
        let output = Command::new(&self.program)
            .arg("test")
            .arg("--rules-file")
            .arg(file)
            .arg("--test-data")
            .arg(&cases)
            .stdin(Stdio::null())
            .output()
            .context("cfn-guard cannot be started")?;
        if output.status.success() {
            return Ok(None);
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let cases = stdout.split("\n\n");
        let failed: Vec<&str> = cases.filter(|case| case.contains("FAIL Rules")).collect();
        let failed = failed.join("\n");
        let stderr = String::from_utf8_lossy(&output.stderr);
        Ok(Some(format!("unit cases of {name}:\n{failed}{stderr}")))
    }

    fn report(&self, file: &Path, documents: &Path) -> anyhow::Result<String> {
        let output = Command::new(&self.program)
            .args(["validate", "--structured", "--output-format", "json"])
            .args(["--show-summary", "none", "--rules"])
            .arg(file)
            .arg("--data")
            .arg(documents)
            .stdin(Stdio::null())
            .output()
            .context("cfn-guard cannot be started")?;
        let report = String::from_utf8(output.stdout).context("cfn-guard's report is not UTF-8")?;
        // The exit code does not distinguish a failed rule from an error.
        if report.trim().is_empty() {
            let message = String::from_utf8_lossy(&output.stderr);
            bail!("cfn-guard cannot evaluate {}:\n{message}", file.display());
        }
        Ok(report)
    }

    fn temporary_folder(&self) -> anyhow::Result<tempfile::TempDir> {
        tempfile::tempdir_in(self.documents.path()).context("a temporary folder cannot be created")
    }
}
