//! Findings that stay: which, why, and until when.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use time::Date;
use time::Month;
use toml::value::Datetime;

use super::Finding;
use tools::Judge;

/// `infra/aws/findings.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stays {
    /// Its entries.
    #[serde(default)]
    pub(crate) stay: Vec<Stay>,
}

/// A finding that stays, or the same one of several resources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stay {
    /// Whose finding it is.
    pub(crate) tool: Judge,
    /// The tool's name of the rule.
    pub(crate) rule: String,
    /// `<template>/<logical id>`, `<template>/*` or `*`.
    pub(crate) resource: String,
    /// Why the template is right all the same.
    pub(crate) reason: String,
    /// From this day on it has to be looked at again.
    pub(crate) expires: Datetime,
}

impl Stays {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} cannot be understood", path.display()))
    }

    /// What is wrong, a sentence for each: a finding without an entry, an entry that expired, one that
    /// nothing finds any more, one without a reason.
    #[must_use]
    pub(crate) fn judge(&self, findings: &[Finding], today: Date) -> Vec<String> {
        let open = findings.iter().filter(|finding| !self.has(finding));
        let open = open.map(|finding| {
            let Finding {
                tool,
                rule,
                resource,
                message,
            } = finding;
            format!("{resource}: {tool} {rule}: {message}")
        });
        let entries = self.stay.iter().filter_map(|stay| {
            let Stay {
                tool,
                rule,
                resource,
                ..
            } = stay;
            let fault = stay.fault(findings, today)?;
            Some(format!("findings.toml: {tool} {rule} {resource}: {fault}"))
        });
        open.chain(entries).collect()
    }

    fn has(&self, finding: &Finding) -> bool {
        self.stay.iter().any(|stay| stay.is_of(finding))
    }
}

impl Stay {
    fn is_of(&self, finding: &Finding) -> bool {
        let resource = match self.resource.strip_suffix('*') {
            Some(beginning) => finding.resource.starts_with(beginning),
            None => finding.resource == self.resource,
        };
        self.tool == finding.tool && self.rule == finding.rule && resource
    }

    fn fault(&self, findings: &[Finding], today: Date) -> Option<&'static str> {
        if !findings.iter().any(|finding| self.is_of(finding)) {
            return Some("nothing finds this any more: remove the entry");
        }
        if self.reason.split_whitespace().count() < 5 {
            return Some("say why in a sentence");
        }
        match self.expires() {
            None => Some("`expires` is a day, such as 2027-05-31"),
            Some(day) if day <= today => Some("expired: look whether the reason still holds"),
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

    fn found(rule: &str, resource: &str) -> Finding {
        Finding {
            tool: Judge::Checkov,
            rule: rule.to_owned(),
            resource: resource.to_owned(),
            message: "Ensure something".to_owned(),
        }
    }

    fn stays(resource: &str) -> Stays {
        let text = format!(
            "[[stay]]\ntool = 'checkov'\nrule = 'CKV_1'\nresource = '{resource}'\n\
             reason = 'the service takes no other value'\nexpires = 2027-05-31\n"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_finding_with_an_entry_stays_until_the_entry_expires() {
        let findings = [found("CKV_1", "logs/Bucket")];
        for resource in ["logs/Bucket", "logs/*", "*"] {
            assert!(
                stays(resource)
                    .judge(&findings, date!(2027 - 05 - 30))
                    .is_empty()
            );
            let expired = stays(resource).judge(&findings, date!(2027 - 05 - 31));
            assert!(expired[0].contains("expired"), "{expired:?}");
        }
    }

    #[test]
    fn a_finding_without_an_entry_fails_and_so_does_an_entry_without_a_finding() {
        let today = date!(2027 - 01 - 01);
        let wrong = stays("logs/Bucket").judge(&[found("CKV_1", "keys/Key")], today);
        assert!(wrong[0].starts_with("keys/Key: checkov CKV_1"), "{wrong:?}");
        assert!(
            wrong[1].contains("nothing finds this any more"),
            "{wrong:?}"
        );
    }
}
