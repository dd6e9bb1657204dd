//! The terms of `iam.toml`, resolved in an architecture.

use std::collections::BTreeMap;

use serde_json::Value;

use super::FOREIGN_ACCOUNT;
use super::Principal;
use super::QueryBuilder;
use super::Target;
use crate::iam::collect::Object;

/// Terms for a role with a part of its policies.
const LAYERS: [Layer; 3] = [
    Layer {
        prefix: "boundary of ",
        allow_all: true,
        bounded: true,
    },
    Layer {
        prefix: "unbounded ",
        allow_all: false,
        bounded: false,
    },
    Layer {
        prefix: "any policy as ",
        allow_all: true,
        bounded: false,
    },
];

/// The policies of a role that a term includes.
struct Layer {
    prefix: &'static str,
    /// Whether an identity policy that allows everything replaces the role's own.
    allow_all: bool,
    /// Whether the permissions boundary applies.
    bounded: bool,
}

impl QueryBuilder<'_> {
    /// The principal of a term, such as `identity/AppRole`.
    pub(super) fn principal(&mut self, term: &str) -> Result<Principal, String> {
        if let Some(service) = term.strip_prefix("service ") {
            return Ok(Self::unbounded(service, "", Vec::new()));
        }
        if let Some(role) = term.strip_prefix("trusted principal of ") {
            let arn = self.trusted_principal(role)?;
            let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
            return Ok(Self::unbounded(&arn, &account, vec![self.everything]));
        }
        for layer in LAYERS {
            if let Some(role) = term.strip_prefix(layer.prefix) {
                let mut principal = self.role(role)?;
                if layer.allow_all {
                    principal.identity = vec![self.everything];
                }
                principal.boundary = principal.boundary.filter(|_| layer.bounded);
                return Ok(principal);
            }
        }
        let (account, name) = match term {
            "administrator" => (self.account.clone(), "administrator"),
            "foreign account" => (FOREIGN_ACCOUNT.to_owned(), "foreign"),
            _ => return self.role(term),
        };
        let arn = format!("arn:aws:iam::{account}:role/{name}");
        Ok(Self::unbounded(&arn, &account, vec![self.everything]))
    }

    fn role(&mut self, label: &str) -> Result<Principal, String> {
        let role = self.collected.roles.get(label).cloned();
        let role = role.ok_or_else(|| format!("there is no role {label}"))?;
        let identity = role.identity.iter();
        Ok(Principal {
            identity: identity.map(|policy| self.batch_index(*policy)).collect(),
            boundary: role.boundary.map(|policy| self.batch_index(policy)),
            arn: role.arn,
            account: role.account,
        })
    }

    fn unbounded(arn: &str, account: &str, identity: Vec<usize>) -> Principal {
        Principal {
            arn: arn.to_owned(),
            account: account.to_owned(),
            identity,
            boundary: None,
        }
    }

    /// The ARN of the principal that the trust policy of a role names.
    fn trusted_principal(&self, label: &str) -> Result<String, String> {
        let role = self.collected.roles.get(label);
        let role = role.ok_or_else(|| format!("there is no role {label}"))?;
        let trust = role
            .trust
            .and_then(|policy| self.collected.policies.get(policy));
        let trusted = trust.and_then(|trust| trust.document.pointer("/Statement/0/Principal/AWS"));
        trusted
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| format!("the trust policy of {label} names no AWS principal"))
    }

    /// The labels of the roles that terms mean.
    pub(super) fn roles(
        &self,
        terms: &[String],
        exceptions: &[String],
    ) -> Result<Vec<String>, String> {
        let mut roles = Vec::new();
        for term in terms.iter().chain(exceptions) {
            match term.as_str() {
                "every role" => roles.extend(self.collected.roles.keys().cloned()),
                name if self.collected.roles.contains_key(name) => roles.push(name.to_owned()),
                name => return Err(format!("there is no role {name}")),
            }
        }
        roles.retain(|name| !exceptions.contains(name));
        Ok(roles)
    }

    /// The resources of a term as patterns of ARNs. Terms are `keys/PhiKey`, `image/ArtifactBucket/releases/web/*`,
    /// `every AWS::KMS::Key` or a pattern.
    pub(super) fn patterns(&self, term: &str) -> Result<Vec<String>, String> {
        if term == "*" || term.starts_with("arn:") {
            return Ok(vec![self.substitute(term)?]);
        }
        let targets = self.targets(term, &[])?;
        let arns = targets.into_iter().map(|(_, target)| target.arn);
        // Requests name a log group also by the streams in it.
        Ok(arns
            .flat_map(|arn| {
                if arn.contains(":log-group:") && !arn.ends_with('*') {
                    vec![format!("{arn}:*"), arn]
                } else {
                    vec![arn]
                }
            })
            .collect())
    }

    /// The resources of a term, each with its label.
    pub(super) fn targets(
        &self,
        term: &str,
        exceptions: &[String],
    ) -> Result<Vec<(String, Target)>, String> {
        if let Some(types) = term.strip_prefix("every ") {
            return self.targets_of_type(types, exceptions);
        }
        let target = if let Some(arn) = term.strip_prefix("foreign ") {
            Target {
                arn: self.substitute(arn)?,
                account: FOREIGN_ACCOUNT.to_owned(),
                policy: Some(self.anyone),
                tags: BTreeMap::new(),
            }
        } else if term == "*" || term.starts_with("arn:") {
            Target {
                arn: self.substitute(term)?,
                account: self.account.clone(),
                policy: None,
                tags: BTreeMap::new(),
            }
        } else {
            let (label, object) = self.object(term)?;
            self.target(object, term.strip_prefix(label).unwrap_or_default())
        };
        Ok(vec![(term.to_owned(), target)])
    }

    /// The resources of a type; the term may end with a path: `AWS::S3::Bucket/some`.
    fn targets_of_type(
        &self,
        term: &str,
        exceptions: &[String],
    ) -> Result<Vec<(String, Target)>, String> {
        let (resource_type, suffix) = term.split_at(term.find('/').unwrap_or(term.len()));
        let of_type = self.collected.objects.iter().filter(|(label, object)| {
            object.resource_type == resource_type && !exceptions.contains(label)
        });
        let targets: Vec<_> = of_type
            .map(|(label, object)| (format!("{label}{suffix}"), self.target(object, suffix)))
            .collect();
        if targets.is_empty() {
            return Err(format!("there is no {resource_type}"));
        }
        Ok(targets)
    }

    /// The object with the longest label that is a prefix of a term.
    fn object(&self, term: &str) -> Result<(&String, &Object), String> {
        let all = self.collected.objects.iter();
        let matching = all.filter(|(label, _)| {
            term.strip_prefix(label.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', '*']))
        });
        let longest = matching.max_by_key(|(label, _)| label.len());
        longest.ok_or_else(|| format!("there is no {term}"))
    }

    /// An object as a target, with a suffix to its ARN.
    pub(super) fn target(&self, object: &Object, suffix: &str) -> Target {
        let policy = object.policy;
        Target {
            arn: format!("{}{suffix}", object.arn),
            account: object.account.clone(),
            policy: policy.and_then(|policy| self.policies.get(policy).copied()),
            tags: object.tags.clone(),
        }
    }

    /// The index in the batch of a collected policy.
    pub(super) fn batch_index(&self, policy: usize) -> usize {
        self.policies.get(policy).copied().unwrap_or_default()
    }

    /// The ARN of an object; with the suffix `.Id`, the last part of its ARN.
    fn named(&self, name: &str) -> Result<String, String> {
        match name.strip_suffix(".Id") {
            Some(name) => {
                let arn = &self.object(name)?.1.arn;
                let id = arn.rsplit_once('/').map(|(_, id)| id.to_owned());
                id.ok_or_else(|| format!("{name} has no id"))
            }
            None => Ok(self.object(name)?.1.arn.clone()),
        }
    }

    /// A text with its placeholders replaced: `${region}`, `${account}`, `${foreign_account}`, and ARNs such as
    /// `${logs/AppLogGroup}`.
    pub(super) fn substitute(&self, text: &str) -> Result<String, String> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part
                .split_once('}')
                .ok_or_else(|| format!("a placeholder in {text} has no end"))?;
            match name {
                "region" => whole.push_str(&self.region),
                "account" => whole.push_str(&self.account),
                "foreign_account" => whole.push_str(FOREIGN_ACCOUNT),
                name => whole.push_str(&self.named(name)?),
            }
            whole.push_str(rest);
        }
        Ok(whole)
    }
}
