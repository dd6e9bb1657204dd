//! Suppressed findings of third-party linters: which, why, and until when.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use time::Date;
use time::Month;
use toml::value::Datetime;

use super::LocatedFinding;
use super::linters::Linter;

/// The file `infra/aws/findings.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suppressions {
    /// The entries of the file.
    #[serde(default, rename = "suppression")]
    pub(super) entries: Vec<Suppression>,
}

/// A suppressed finding, or the same finding on several resources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suppression {
    linter: Linter,
    /// The linter's own name of the rule.
    rule: String,
    /// `<template>/<logical id>`, `<template>/*` or `*`.
    resource: String,
    /// Why the template is right in spite of the finding.
    reason: String,
    /// From this day on, the suppression fails the check until it is reviewed.
    expires: Datetime,
}

impl Suppressions {
    /// Reads the file.
    ///
    /// # Errors
    /// When the file cannot be read or parsed.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} cannot be parsed", path.display()))
    }

    /// One message for each finding without a suppression, and for each suppression that is expired, has no proper
    /// reason, or matches no finding.
    #[must_use]
    pub(super) fn check(&self, findings: &[LocatedFinding], today: Date) -> Vec<String> {
        let open = findings.iter().filter(|finding| !self.covers(finding));
        let open = open.map(|located| {
            let LocatedFinding {
                linter,
                rule,
                resource,
                message,
            } = located;
            format!("{resource}: {linter} {rule}: {message}")
        });
        let entries = self.entries.iter().filter_map(|suppression| {
            let Suppression {
                linter,
                rule,
                resource,
                ..
            } = suppression;
            let fault = suppression.fault(findings, today)?;
            Some(format!(
                "findings.toml: {linter} {rule} {resource}: {fault}"
            ))
        });
        open.chain(entries).collect()
    }

    fn covers(&self, finding: &LocatedFinding) -> bool {
        self.entries.iter().any(|entry| entry.matches(finding))
    }
}

impl Suppression {
    fn matches(&self, finding: &LocatedFinding) -> bool {
        let resource = match self.resource.strip_suffix('*') {
            Some(prefix) => finding.resource.starts_with(prefix),
            None => finding.resource == self.resource,
        };
        self.linter == finding.linter && self.rule == finding.rule && resource
    }

    fn fault(&self, findings: &[LocatedFinding], today: Date) -> Option<&'static str> {
        if !findings.iter().any(|finding| self.matches(finding)) {
            return Some("the linter no longer finds this: remove the entry");
        }
        if self.reason.split_whitespace().count() < 5 {
            return Some("`reason` must be a sentence");
        }
        match self.expires() {
            None => Some("`expires` must be a date, such as 2027-05-31"),
            Some(day) if day <= today => Some("expired: check whether the reason still holds"),
            Some(_) => None,
        }
    }

    fn expires(&self) -> Option<Date> {
        let date = self.expires.date?;
        let month = Month::try_from(date.month).ok()?;
        Date::from_calendar_date(i32::from(date.year), month, date.day).ok()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn finding(rule: &str, resource: &str) -> LocatedFinding {
        LocatedFinding {
            linter: Linter::CdkNag,
            rule: rule.to_owned(),
            resource: resource.to_owned(),
            message: "Ensure something".to_owned(),
        }
    }

    fn suppressions(resource: &str) -> Suppressions {
        let text = format!(
            "[[suppression]]\nlinter = 'cdk-nag'\nrule = 'S3BucketVersioningEnabled'\nresource = '{resource}'\n\
             reason = 'the service takes no other value'\nexpires = 2027-05-31\n"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_suppression_covers_its_finding_until_it_expires() {
        let findings = [finding("S3BucketVersioningEnabled", "logs/Bucket")];
        for resource in ["logs/Bucket", "logs/*", "*"] {
            let open = suppressions(resource).check(&findings, date!(2027 - 05 - 30));
            assert!(open.is_empty(), "{open:?}");
            let expired = suppressions(resource).check(&findings, date!(2027 - 05 - 31));
            assert!(expired[0].contains("expired"), "{expired:?}");
        }
    }

    #[test]
    fn a_finding_without_a_suppression_fails_and_so_does_a_suppression_without_a_finding() {
        let today = date!(2027 - 01 - 01);
        let findings = [finding("S3BucketVersioningEnabled", "keys/Key")];
        let faults = suppressions("logs/Bucket").check(&findings, today);
        assert!(
            faults[0].starts_with("keys/Key: cdk-nag S3BucketVersioningEnabled"),
            "{faults:?}"
        );
        assert!(faults[1].contains("no longer finds this"), "{faults:?}");
    }
}
