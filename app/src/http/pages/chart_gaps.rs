//! The warnings of a chart that is not complete.

use super::numbers::Count;
use crate::services::records::Chart;
use crate::services::records::HeadDifference;

/// What is missing from a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ChartGaps {
    /// Whether the patient's own record is damaged or missing.
    pub(crate) is_patient_missing: bool,
    /// The number of records that are stored and could not be opened.
    pub(crate) damaged: Count,
    /// A sentence for each type whose records are hidden or not current.
    pub(crate) differences: Vec<String>,
}

impl ChartGaps {
    /// The gaps of a chart.
    pub(crate) fn of(chart: &Chart) -> Self {
        Self {
            is_patient_missing: chart.patient.is_none(),
            damaged: Count(chart.damaged.len()),
            differences: chart.differences.iter().map(sentence).collect(),
        }
    }

    /// Whether there is a gap.
    pub(crate) fn any(&self) -> bool {
        self.is_patient_missing || self.damaged.0 > 0 || !self.differences.is_empty()
    }
}

/// The sentence for a type whose stored records are not those that were written.
fn sentence(
    HeadDifference {
        kind,
        expected,
        found,
    }: &HeadDifference,
) -> String {
    match expected.cmp(found) {
        std::cmp::Ordering::Greater => {
            let missing = expected - found;
            format!("{kind}: {missing} of {expected} missing; others may be outdated.")
        }
        std::cmp::Ordering::Less => {
            let more = found - expected;
            format!("{kind}: {more} more stored than were written; others may be outdated.")
        }
        std::cmp::Ordering::Equal => {
            format!("{kind}: at least one of {expected} is not the current version.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_whose_records_differ_has_a_sentence_with_the_numbers() {
        let of = |expected, found| {
            sentence(&HeadDifference {
                kind: "Observation".to_owned(),
                expected,
                found,
            })
        };
        assert!(of(7, 5).starts_with("Observation: 2 of 7 missing"));
        assert!(of(0, 1).starts_with("Observation: 1 more stored"));
        assert!(of(3, 3).contains("not the current version"));
    }
}
