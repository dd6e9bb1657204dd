//! Verdicts from the simulator's results.

use std::collections::BTreeMap;

use serde_json::Value;

use super::EVERY_POLICY_IS_VALID;
use super::LIST_IS_CURRENT;
use super::NO_EXCESS;
use super::batch::Results;
use super::queries::ListedGrant;
use super::queries::Prohibition;
use super::queries::Queries;
use super::wildcard::matches;
use crate::verdict::Verdict;

/// An action that a role may take on a resource, as the simulator found it.
struct FoundGrant<'a> {
    action: &'a str,
    level: &'a str,
    resource: &'a str,
    /// The statements that allow the action.
    by: String,
}

impl Queries {
    /// The verdict of each rule.
    #[must_use]
    pub fn evaluate(&self, results: &Results) -> Vec<Verdict> {
        let mut faults = Faults::default();
        for (rule, fault) in &self.faults {
            faults.add(rule, fault.clone());
        }
        self.evaluate_policies(results, &mut faults);
        self.evaluate_requests(results, &mut faults);
        self.evaluate_permissions(results, &mut faults);
        faults.into_verdicts()
    }

    fn evaluate_policies(&self, results: &Results, faults: &mut Faults) {
        for (policy, index) in &self.policies {
            let result = results.at(*index);
            match result.get("problems").and_then(Value::as_array) {
                Some(problems) => {
                    for problem in problems.iter().filter_map(Value::as_str) {
                        faults.add(EVERY_POLICY_IS_VALID, format!("{policy}: {problem}"));
                    }
                }
                None => faults.add(
                    EVERY_POLICY_IS_VALID,
                    format!("{policy}: {}", outcome(result)),
                ),
            }
        }
    }

    fn evaluate_requests(&self, results: &Results, faults: &mut Faults) {
        for request in &self.requests {
            let result = results.at(request.query);
            let allowed = result.get("allowed").and_then(Value::as_bool);
            if allowed == Some(request.allowed) {
                faults.touch(&request.rule);
            } else {
                let outcome = outcome(result);
                faults.add(
                    &request.rule,
                    format!("{} is {outcome}", request.description),
                );
            }
        }
    }

    fn evaluate_permissions(&self, results: &Results, faults: &mut Faults) {
        let mut used = vec![false; self.listed_grants.len()];
        for (role, query) in &self.permissions {
            let result = results.at(*query);
            let Some(grants) = result.get("grants").and_then(Value::as_array) else {
                let fault = format!("{role}: {}", outcome(result));
                faults.add(NO_EXCESS, fault.clone());
                for prohibition in &self.prohibitions {
                    faults.add(&prohibition.rule, fault.clone());
                }
                continue;
            };
            let grants: Vec<FoundGrant<'_>> = grants.iter().map(FoundGrant::read).collect();
            self.compare_with_list(role, &grants, &mut used, faults);
            for prohibition in &self.prohibitions {
                prohibition.evaluate(role, &grants, faults);
            }
        }
        let listed = self.listed_grants.iter().zip(used);
        for (grant, _) in listed.filter(|(_, used)| !used) {
            let fault = format!(
                "{} cannot take the listed actions {} on {}",
                grant.principals.join(", "),
                grant.actions.join(", "),
                grant.resources.join(", ")
            );
            faults.add(LIST_IS_CURRENT, fault);
        }
    }

    fn compare_with_list(
        &self,
        role: &str,
        grants: &[FoundGrant<'_>],
        used: &mut [bool],
        faults: &mut Faults,
    ) {
        for grant in grants {
            let mut is_listed = false;
            for (listed, used) in self.listed_grants.iter().zip(used.iter_mut()) {
                if listed.covers(role, grant) {
                    is_listed = true;
                    *used = true;
                }
            }
            if !is_listed {
                faults.add(NO_EXCESS, format!("{role} may {grant}"));
            }
        }
    }
}

impl ListedGrant {
    fn covers(&self, role: &str, found: &FoundGrant<'_>) -> bool {
        self.principals.iter().any(|principal| principal == role)
            && any_matches(&self.actions, found.action)
            && (self.level.is_empty() || self.level.iter().any(|level| level == found.level))
            && any_matches(&self.resources, found.resource)
    }
}

impl Prohibition {
    fn evaluate(&self, role: &str, grants: &[FoundGrant<'_>], faults: &mut Faults) {
        if !self.principals.iter().any(|principal| principal == role) {
            return;
        }
        faults.touch(&self.rule);
        for grant in grants {
            let is_prohibited = any_matches(&self.actions, grant.action)
                && any_matches(&self.resources, grant.resource)
                && !any_matches(&self.except_resources, grant.resource);
            if is_prohibited {
                faults.add(&self.rule, format!("{role} may {grant}"));
            }
        }
    }
}

fn any_matches(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

impl<'a> FoundGrant<'a> {
    fn read(value: &'a Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            action: text("action"),
            level: text("level"),
            resource: text("resource"),
            by: statements(value).join(", "),
        }
    }
}

impl std::fmt::Display for FoundGrant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            action,
            level,
            resource,
            by,
        } = self;
        write!(f, "{action} on {resource} ({level}; {by})")
    }
}

/// The ids of the statements that decided a result.
fn statements(result: &Value) -> Vec<&str> {
    let by = result.get("by").and_then(Value::as_array);
    by.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A result in words.
fn outcome(result: &Value) -> String {
    if let Some(fault) = result.get("fault").and_then(Value::as_str) {
        return format!("not evaluated: {fault}");
    }
    let by = statements(result);
    match result.get("allowed").and_then(Value::as_bool) {
        Some(true) => format!("allowed by {}", by.join(", ")),
        Some(false) if by.is_empty() => "denied, because no statement allows it".to_owned(),
        Some(false) => format!("denied by {}", by.join(", ")),
        None => "not evaluated".to_owned(),
    }
}

/// The faults found by each rule; an empty list for a rule that was evaluated and holds.
#[derive(Default)]
struct Faults(BTreeMap<String, Vec<String>>);

impl Faults {
    fn touch(&mut self, rule: &str) {
        self.0.entry(rule.to_owned()).or_default();
    }

    fn add(&mut self, rule: &str, fault: String) {
        self.0.entry(rule.to_owned()).or_default().push(fault);
    }

    /// A rule without any query gets no verdict, so that it does not count as one that holds.
    fn into_verdicts(mut self) -> Vec<Verdict> {
        for rule in super::BUILT_IN_RULES {
            self.touch(rule);
        }
        let verdict = |(rule, faults): (String, Vec<String>)| Verdict {
            rule,
            passed: faults.is_empty(),
            message: faults.join("\n"),
        };
        self.0.into_iter().map(verdict).collect()
    }
}
