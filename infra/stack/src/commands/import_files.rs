//! `cargo stack import`.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use import::IdMapping;
use import::Importer;
use import::Report;
use progress::Progress;
use stack::Home;

/// The examples of the command's help.
pub(super) const EXAMPLES: &str = "Examples:
  cargo stack import bundle.json.gz                 resumes where it was interrupted
  cargo stack import --check export/                what would be refused, and why; sends nothing
  cargo stack import --map-ids export/              ids such as Patient/1234 become UUIDs
  cargo stack import --map-ids --source https://hospital.example/fhir Patient.ndjson

Exit status: 0 if everything was imported (types that the stack does not store are skipped and counted), 1 if
something was refused or the import ended early. The same command sends only what is not stored yet.";

/// The options of an import.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Bundles, or folders of bundles
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// An organization's name, or the beginning of it
    #[arg(long)]
    organization: Option<String>,
    /// Send everything again, also what was acknowledged before
    #[arg(long)]
    again: bool,
    /// List what would be refused, without a request; no stack has to run
    #[arg(long, conflicts_with = "again")]
    check: bool,
    /// Give ids that are no UUIDs new ones, always the same, and keep the original ids as identifiers
    #[arg(long)]
    map_ids: bool,
    /// URI of the system that assigned the ids, for entries whose fullUrl does not name it
    #[arg(long, value_name = "URI", requires = "map_ids")]
    source: Option<String>,
}

/// The way in which files are treated.
enum Treatment {
    Check(Option<Arc<IdMapping>>),
    Import(Box<Importer>),
}

impl Import {
    /// Imports or checks the files, and prints the report.
    pub(super) async fn run(&self, home: &Home) -> anyhow::Result<ExitCode> {
        let treatment = self.treatment(home)?;
        let mut total = Report::default();
        let mut failed = None;
        for file in import::in_order(import::expand(&self.files)?) {
            match treatment.apply(&file).await {
                Ok(report) => total.add(report),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // The files before the one that failed were imported.
        println!("{total}");
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(if total.refused.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn treatment(&self, home: &Home) -> anyhow::Result<Treatment> {
        let (organization, source) = (self.organization.as_deref(), self.source.as_deref());
        let mapping = |make: &dyn Fn() -> anyhow::Result<IdMapping>| {
            self.map_ids
                .then(make)
                .transpose()
                .map(|made| made.map(Arc::new))
        };
        if self.check {
            let mapping = mapping(&|| IdMapping::for_dry_run(source))?;
            return Ok(Treatment::Check(mapping));
        }
        let importer = stack::importer(home, organization, Progress::shown())?;
        let mapping = mapping(&|| stack::id_mapping(home, organization, source))?;
        let importer = importer.resend_all(self.again).map_ids(mapping);
        Ok(Treatment::Import(Box::new(importer)))
    }
}

impl Treatment {
    async fn apply(&self, file: &Path) -> anyhow::Result<Report> {
        match self {
            Self::Check(mapping) => import::check(file, mapping.clone(), Progress::shown()).await,
            Self::Import(importer) => importer.import(file).await,
        }
    }
}
