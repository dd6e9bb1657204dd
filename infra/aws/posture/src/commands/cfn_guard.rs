//! cfn-guard, which runs the rules of `rules/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use posture::Architecture;
use posture::Sight;
use posture::rules;
use posture::rules::Verdict;

use progress::Progress;
use tools::Crate;

/// The program, in the version that the rules are written for. Optimized, because it reads large documents hundreds of
/// times.
const CFN_GUARD: Crate = Crate {
    name: "cfn-guard",
    version: "3.2.1",
    optimized: true,
};

/// What the document without a fault is called.
const SOUND: &str = "without a fault";

/// The program, and a folder for the documents it reads.
pub(super) struct Guard {
    program: PathBuf,
    documents: tempfile::TempDir,
}

impl Guard {
    pub(super) fn obtain(progress: Progress) -> anyhow::Result<Self> {
        Ok(Self {
            program: CFN_GUARD.obtain(progress)?,
            documents: tempfile::tempdir().context("a temporary folder")?,
        })
    }

    /// What the rules of some files say of each document, by the document's name.
    pub(super) fn judge<'a>(
        &self,
        files: impl IntoIterator<Item = &'a Path>,
        documents: &BTreeMap<String, Architecture>,
    ) -> anyhow::Result<BTreeMap<String, Vec<Verdict>>> {
        let folder = tempfile::tempdir_in(self.documents.path()).context("a temporary folder")?;
        for (name, architecture) in documents {
            let text = serde_json::to_string(&architecture.document()).context("a document")?;
            let path = folder.path().join(format!("{name}.json"));
            fs::write(&path, text)
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        let mut found: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
        for file in files {
            let report = self.report(file, folder.path())?;
            let verdicts = rules::verdicts(&report).with_context(|| file.display().to_string())?;
            for (document, said) in verdicts {
                let name = Path::new(&document).file_stem().unwrap_or_default();
                found
                    .entry(name.to_string_lossy().into_owned())
                    .or_default()
                    .extend(said);
            }
        }
        Ok(found)
    }

    /// What one rule of a file says of each document, each shown to it as far as it can see. `sound` is a
    /// document without a fault: if the rule does not hold for what it sees of that, it is shown everything.
    pub(super) fn judge_by(
        &self,
        file: &Path,
        rule: &str,
        documents: &BTreeMap<String, Architecture>,
        sound: &Architecture,
    ) -> anyhow::Result<BTreeMap<String, Vec<Verdict>>> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let alone = rules::alone(&text, rule);
        let folder = tempfile::tempdir_in(self.documents.path()).context("a temporary folder")?;
        let path = folder.path().join("alone.guard");
        fs::write(&path, &alone).context("a rule cannot be written")?;
        if let Some(sight) = Sight::of(&alone) {
            let narrow =
                |(name, document): (&String, &Architecture)| (name.clone(), sight.narrow(document));
            let mut seen: BTreeMap<_, _> = documents.iter().map(narrow).collect();
            seen.insert(SOUND.to_owned(), sight.narrow(sound));
            let mut verdicts = self.judge([path.as_path()], &seen)?;
            let of_sound = verdicts.remove(SOUND).unwrap_or_default();
            if !of_sound.is_empty() && of_sound.iter().all(|verdict| verdict.passed) {
                return Ok(verdicts);
            }
        }
        self.judge([path.as_path()], documents)
    }

    fn report(&self, file: &Path, documents: &Path) -> anyhow::Result<String> {
        let output = Command::new(&self.program)
            .args([
                "validate",
                "--structured",
                "--output-format",
                "json",
                "--show-summary",
                "none",
            ])
            .arg("--rules")
            .arg(file)
            .arg("--data")
            .arg(documents)
            .stdin(Stdio::null())
            .output()
            .context("cfn-guard cannot be started")?;
        let report = String::from_utf8(output.stdout).context("cfn-guard's report")?;
        if report.trim().is_empty() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("cfn-guard cannot run {}:\n{said}", file.display());
        }
        Ok(report)
    }

    /// Runs the unit cases of a file of rules: what it says, if one does not come out as expected.
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
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = said
            .split("\n\n")
            .filter(|case| case.contains("FAIL Rules"));
        let failed = failed.collect::<Vec<_>>().join("\n");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Some(format!("unit cases of {name}:\n{failed}{stderr}")))
    }
}
