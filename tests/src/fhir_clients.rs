//! FHIR clients of others. For each there is a program that performs the operations of the table in
//! `app/fhir/README.md` with it, unmodified. They are installed when a test first needs them.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::ensure;
use serde::Deserialize;
use serde_json::Value;

use progress::Progress;
use tools::NODE;
use tools::Npm;
use tools::Python;

/// The clients of `PyPI`.
const PYTHON_CLIENTS: Python = Python {
    name: "fhir-clients",
    requirements: include_str!("../requirements/fhir-clients.txt"),
};

const PACKAGE: &str = include_str!("../programs/fhir-clients/package.json");

/// The clients of npm. What `package.json` overrides are optional packages for React Native, which no
/// program loads, and which would bring five hundred others.
const NODE_CLIENTS: Npm = Npm {
    name: "fhir-clients-1",
    node: NODE,
    files: &[
        ("package.json", PACKAGE),
        (
            "package-lock.json",
            include_str!("../programs/fhir-clients/package-lock.json"),
        ),
        (".npmrc", "omit=optional\n"),
    ],
};

/// A FHIR client of others.
#[derive(Clone, Copy, Debug)]
pub struct FhirClient {
    package: &'static str,
    language: Language,
    /// The program. Not kept with the packages, so that it is never an old one.
    program: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    JavaScript,
}

/// Every client.
pub const CLIENTS: [FhirClient; 5] = [
    FhirClient {
        package: "fhirpy",
        language: Language::Python,
        program: concat!(
            include_str!("../programs/fhir-clients/steps.py"),
            include_str!("../programs/fhir-clients/fhirpy.py")
        ),
    },
    FhirClient {
        package: "fhirclient",
        language: Language::Python,
        program: concat!(
            include_str!("../programs/fhir-clients/steps.py"),
            include_str!("../programs/fhir-clients/fhirclient-py.py")
        ),
    },
    FhirClient {
        package: "fhir-kit-client",
        language: Language::JavaScript,
        program: concat!(
            include_str!("../programs/fhir-clients/steps.mjs"),
            include_str!("../programs/fhir-clients/fhir-kit-client.mjs")
        ),
    },
    FhirClient {
        package: "fhirclient",
        language: Language::JavaScript,
        program: concat!(
            include_str!("../programs/fhir-clients/steps.mjs"),
            include_str!("../programs/fhir-clients/fhirclient-js.mjs")
        ),
    },
    FhirClient {
        package: "@medplum/core",
        language: Language::JavaScript,
        program: concat!(
            include_str!("../programs/fhir-clients/steps.mjs"),
            include_str!("../programs/fhir-clients/medplum.mjs")
        ),
    },
];

/// The result of one operation, as a program prints it.
#[derive(Clone, Debug, Deserialize)]
pub struct OperationResult {
    /// The operation, by its name in the table.
    pub operation: String,
    /// `ok`, `not offered by the client` or `failed`.
    pub result: String,
    /// What failed, or why the client does not offer it; without values of records.
    #[serde(default)]
    pub detail: String,
}

impl FhirClient {
    /// The package, its version and its language.
    ///
    /// # Errors
    /// When the lists of packages do not have it.
    pub fn title(&self) -> anyhow::Result<String> {
        let (version, language) = match self.language {
            Language::Python => {
                let line = format!("{}==", self.package);
                let versions = PYTHON_CLIENTS.requirements.lines();
                let version = versions
                    .filter_map(|it| it.strip_prefix(&line))
                    .find_map(|it| it.split_whitespace().next());
                (version.map(str::to_owned), "Python")
            }
            Language::JavaScript => {
                let package: Value = serde_json::from_str(PACKAGE).context("package.json")?;
                let version = package["dependencies"][self.package].as_str();
                (version.map(str::to_owned), "JavaScript")
            }
        };
        let version = version.with_context(|| format!("{} is not in the list", self.package))?;
        Ok(format!("{} {version} ({language})", self.package))
    }

    /// Performs the operations with the FHIR API at `base`, an address without a slash at its end, whose certificate
    /// the CA in the file `authority` signed.
    ///
    /// # Errors
    /// When the client cannot be installed, or its program does not run to its end.
    pub fn perform(
        &self,
        base: &str,
        token: &str,
        authority: &Path,
    ) -> anyhow::Result<Vec<OperationResult>> {
        let output = self
            .command()?
            .env("FHIR_BASE", base)
            .env("FHIR_TOKEN", token)
            .env("REQUESTS_CA_BUNDLE", authority)
            .env("NODE_EXTRA_CA_CERTS", authority)
            .output()
            .with_context(|| format!("the program of {} cannot be started", self.package))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {stderr}", self.package);
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| {
                serde_json::from_str(line).with_context(|| format!("{}: {line}", self.package))
            })
            .collect()
    }

    fn command(&self) -> anyhow::Result<Command> {
        match self.language {
            Language::Python => {
                let folder = PYTHON_CLIENTS.obtain(Progress::hidden())?;
                let mut command = Command::new(folder.join("bin/python"));
                command.current_dir(folder).args(["-c", self.program]);
                Ok(command)
            }
            Language::JavaScript => {
                let folder = NODE_CLIENTS.obtain(Progress::hidden())?;
                let mut command = NODE_CLIENTS.node(Progress::hidden())?;
                command.current_dir(folder);
                command.args(["--input-type=module", "--eval", self.program]);
                Ok(command)
            }
        }
    }
}
