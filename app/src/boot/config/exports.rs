//! The configuration of bulk exports.

use std::path::PathBuf;
use std::time::Duration;

use settings::Reader;
use settings::Reported;
use settings::section;

use crate::services::exports::ExportSettings;

/// The variables of the section.
struct Variables {
    /// `EXPORT_FOLDER`.
    folder: Option<PathBuf>,
    /// `EXPORT_LIFETIME_SECONDS`.
    lifetime: Duration,
}

/// Reads the section. Without a folder there are no exports.
pub(super) fn read(reader: &Reader) -> Result<Option<ExportSettings>, Reported> {
    let variables = section!(Variables {
        folder: reader.optional(
            "EXPORT_FOLDER",
            "a folder of the app's own, which all of its instances share",
        ),
        lifetime: reader.seconds("EXPORT_LIFETIME_SECONDS", 86_400, 1..=86_400),
    })?;
    let Variables { folder, lifetime } = variables;
    Ok(folder.map(|folder| ExportSettings { folder, lifetime }))
}
