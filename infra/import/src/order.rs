//! The order of files: those of the organization, those with patients, and those that have only what belongs to patients
//! (as the files of a bulk export, one for each type).

use std::path::Path;
use std::path::PathBuf;

use super::head::Head;
use super::phase::ImportPhase;
use super::source::each_item;

/// The number of entries by which a file is placed.
const LOOKED_AT: usize = 1_000;

/// The files, so that patients precede what belongs to them, and the organization's resources both. Otherwise the order
/// is kept.
#[must_use]
pub fn in_order(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    if files.len() > 1 {
        files.sort_by_cached_key(|file| place_of(file));
    }
    files
}

/// The phase of a file: that of patients if it has one, or cannot be read.
fn place_of(file: &Path) -> ImportPhase {
    let (mut place, mut looked_at) = (None, 0);
    let stopped = each_item(file, &mut |item| {
        let phase = Head::of(&item).kind().map(|kind| kind.phase);
        place = place.max(phase);
        if phase == Some(ImportPhase::Patients) {
            place = phase;
        }
        looked_at += 1;
        anyhow::ensure!(
            phase != Some(ImportPhase::Patients) && looked_at < LOOKED_AT,
            "enough"
        );
        Ok(())
    });
    // An import of the file reports what is wrong with it.
    let _enough = stopped;
    place.unwrap_or(ImportPhase::Patients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_bulk_export_are_imported_with_patients_before_their_records() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let of = |name: &str| format!(r#"{{"resourceType":"{name}"}}"#);
        let bundle = format!(
            r#"{{"resourceType":"Bundle","entry":[{{"resource":{}}},{{"resource":{}}}]}}"#,
            of("Observation"),
            of("Patient")
        );
        let condition = file("Condition.ndjson", &of("Condition"));
        let whole = file("a.json", &bundle);
        let broken = file("b.json", "{");
        let location = file("Location.ndjson", &of("Location"));
        let patient = file("Patient.ndjson", &of("Patient"));
        let given = [&condition, &whole, &broken, &location, &patient].map(Clone::clone);
        let expected = [location, whole, broken, patient, condition];
        assert_eq!(in_order(given.to_vec()), expected);
    }
}
