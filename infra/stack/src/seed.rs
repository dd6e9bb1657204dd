//! The synthetic patients of an empty stack: `tests/data/<organization>/`, imported through web.

use anyhow::Context;

use crate::accounts::Accounts;
use crate::home::Home;
use crate::importer::importer;
use crate::settings::Settings;
use import::Report;
use import::expand;
use progress::Progress;
use tools::workspace;

/// Imports the patients that were not imported yet.
pub(crate) async fn import_patients(
    settings: &Settings,
    home: &Home,
    progress: Progress,
) -> anyhow::Result<()> {
    let data = workspace::root()?.join("tests/data");
    let accounts = Accounts::existing(home)?;
    let mut total = Report::default();
    for organization in accounts.organizations {
        let first = organization
            .name
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_lowercase();
        let folder = data.join(first);
        if !folder.is_dir() {
            continue;
        }
        let importer = importer(home, Some(&organization.name), progress)?;
        for file in expand(&[folder])? {
            let report = importer.import(&file).await.with_context(|| {
                format!(
                    "{} cannot be imported into {}",
                    file.display(),
                    organization.name
                )
            })?;
            total.add(report);
        }
    }
    if let Some(refusal) = total.refused.first() {
        anyhow::bail!(
            "the stack refuses {} of the synthetic entries, the first: {refusal}",
            total.refused.len()
        );
    }
    if !total.is_empty() {
        let address = crate::environment::origin(settings);
        let (patients, seconds) = (total.sent.get("Patient").unwrap_or(&0), total.seconds);
        progress.say(&format!(
            "{patients} synthetic patients with {} resources imported through {address} in {seconds:.1} s",
            total.total_sent()
        ));
    }
    Ok(())
}
