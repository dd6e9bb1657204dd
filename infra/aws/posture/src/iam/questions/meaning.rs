//! What the words of `iam.toml` mean in an architecture.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Asking;
use super::Principal;
use super::STRANGER;
use super::Target;
use crate::iam::collect::Object;

/// Roles of which only some layers of their policies count: the word, whether IAM gives everything,
/// and whether the boundary holds.
const LAYERS: [(&str, bool, bool); 3] = [
    ("most of ", true, true),
    ("unbounded ", false, false),
    ("anything as ", true, false),
];

impl Asking<'_> {
    /// Who is meant: `identity/AppRole`, and the other words that `iam.toml` explains.
    pub(super) fn principal(&mut self, who: &str) -> Result<Principal, String> {
        if let Some(service) = who.strip_prefix("service ") {
            return Ok(Self::unbound(service, "", Vec::new()));
        }
        if let Some(role) = who.strip_prefix("person of ") {
            let arn = self.person(role)?;
            let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
            return Ok(Self::unbound(&arn, &account, vec![self.everything]));
        }
        for (word, everything, bound) in LAYERS {
            if let Some(role) = who.strip_prefix(word) {
                let mut principal = self.role(role)?;
                if everything {
                    principal.identity = vec![self.everything];
                }
                principal.boundary = principal.boundary.filter(|_| bound);
                return Ok(principal);
            }
        }
        let account = match who {
            "administrator" => self.account.clone(),
            "stranger" => STRANGER.to_owned(),
            _ => return self.role(who),
        };
        let arn = format!("arn:aws:iam::{account}:role/{who}");
        Ok(Self::unbound(&arn, &account, vec![self.everything]))
    }

    fn role(&mut self, label: &str) -> Result<Principal, String> {
        let role = self.collected.roles.get(label).cloned();
        let role = role.ok_or_else(|| format!("there is no role {label}"))?;
        Ok(Principal {
            identity: role
                .identity
                .iter()
                .map(|index| self.place(*index))
                .collect(),
            boundary: role.boundary.map(|index| self.place(index)),
            arn: role.arn,
            account: role.account,
        })
    }

    fn unbound(arn: &str, account: &str, identity: Vec<usize>) -> Principal {
        Principal {
            arn: arn.to_owned(),
            account: account.to_owned(),
            identity,
            boundary: None,
        }
    }

    fn person(&self, label: &str) -> Result<String, String> {
        let role = self
            .collected
            .roles
            .get(label)
            .ok_or_else(|| format!("there is no role {label}"))?;
        let trust = role
            .trust
            .and_then(|index| self.collected.policies.get(index));
        let trusted = trust.and_then(|trust| trust.document.pointer("/Statement/0/Principal/AWS"));
        let trusted = trusted.and_then(Value::as_str);
        trusted
            .map(str::to_owned)
            .ok_or_else(|| format!("{label} names no person in its trust policy"))
    }

    /// The roles that are meant, by their labels.
    pub(super) fn roles(&self, who: &[String], but: &[String]) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        for name in who.iter().chain(but) {
            match name.as_str() {
                "every role" => found.extend(self.collected.roles.keys().cloned()),
                name if self.collected.roles.contains_key(name) => found.push(name.to_owned()),
                name => return Err(format!("there is no role {name}")),
            }
        }
        found.retain(|name| !but.contains(name));
        Ok(found)
    }

    /// What is meant as patterns of ARNs: `keys/PhiKey`, `image/ArtifactBucket/releases/web/*`,
    /// `every AWS::KMS::Key`, a pattern as it is.
    pub(super) fn patterns(&self, on: &str) -> Result<Vec<String>, String> {
        if on == "*" || on.starts_with("arn:") {
            return Ok(vec![self.filled(on)?]);
        }
        let targets = self.targets(on, &[])?;
        let arns = targets.into_iter().map(|(_, target)| target.arn);
        // A log group is also asked for by what is in it.
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

    /// What is meant, each with its name.
    pub(super) fn targets(
        &self,
        on: &str,
        except: &[String],
    ) -> Result<Vec<(String, Target)>, String> {
        if let Some(kind) = on.strip_prefix("every ") {
            let (kind, rest) = kind.split_at(kind.find('/').unwrap_or(kind.len()));
            let all = self.collected.objects.iter();
            let of_kind =
                all.filter(|(name, object)| object.kind == kind && !except.contains(name));
            let found: Vec<_> = of_kind
                .map(|(name, object)| (format!("{name}{rest}"), self.under(object, rest)))
                .collect();
            return if found.is_empty() {
                Err(format!("there is no {kind}"))
            } else {
                Ok(found)
            };
        }
        if on == "*" {
            let target = Target {
                arn: "*".to_owned(),
                account: self.account.clone(),
                policy: None,
                tags: BTreeMap::new(),
            };
            return Ok(vec![(on.to_owned(), target)]);
        }
        if let Some(arn) = on.strip_prefix("stranger's ") {
            let arn = self.filled(arn)?;
            let target = Target {
                arn,
                account: STRANGER.to_owned(),
                policy: Some(self.anyone),
                tags: BTreeMap::new(),
            };
            return Ok(vec![(on.to_owned(), target)]);
        }
        if on.starts_with("arn:") {
            let target = Target {
                arn: self.filled(on)?,
                account: self.account.clone(),
                policy: None,
                tags: BTreeMap::new(),
            };
            return Ok(vec![(on.to_owned(), target)]);
        }
        let (name, object) = self.object(on)?;
        let rest = on.strip_prefix(name).unwrap_or_default();
        Ok(vec![(on.to_owned(), self.under(object, rest))])
    }

    /// The thing with the longest name that begins a text.
    fn object(&self, text: &str) -> Result<(&String, &Object), String> {
        let all = self.collected.objects.iter();
        let named = all.filter(|(name, _)| {
            text.strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', '*']))
        });
        let longest = named.max_by_key(|(name, _)| name.len());
        longest.ok_or_else(|| format!("there is no {text}"))
    }

    pub(super) fn under(&self, object: &Object, rest: &str) -> Target {
        let mut target = self.batch_target(object);
        target.arn.push_str(rest);
        target
    }

    /// A thing with the batch's place of its policy.
    fn batch_target(&self, object: &Object) -> Target {
        Target {
            arn: object.arn.clone(),
            account: object.account.clone(),
            policy: object
                .policy
                .and_then(|index| self.places.get(index).copied()),
            tags: object.tags.clone(),
        }
    }

    pub(super) fn place(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or_default()
    }

    /// A thing's ARN, or with `.Id` behind its name what its ARN ends with.
    fn called(&self, name: &str) -> Result<String, String> {
        match name.strip_suffix(".Id") {
            Some(name) => {
                let arn = &self.object(name)?.1.arn;
                let id = arn.rsplit_once('/').map(|(_, id)| id.to_owned());
                id.ok_or_else(|| format!("{name} has no id"))
            }
            None => Ok(self.object(name)?.1.arn.clone()),
        }
    }

    /// Text with `${region}`, `${account}` and ARNs of things: `${logs/AppLogGroup}`.
    pub(super) fn filled(&self, text: &str) -> Result<String, String> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part
                .split_once('}')
                .ok_or_else(|| format!("{text} has no end"))?;
            match name {
                "region" => whole.push_str(&self.region),
                "account" => whole.push_str(&self.account),
                "stranger" => whole.push_str(STRANGER),
                name => whole.push_str(&self.called(name)?),
            }
            whole.push_str(rest);
        }
        Ok(whole)
    }
}
