//! Queries for single requests.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Principal;
use super::QueryBuilder;
use super::Request;
use super::Target;
use super::known_context;
use super::principal_fields;
use super::resource;
use crate::iam::expectations::Case;
use crate::iam::expectations::ContextValue;
use crate::iam::expectations::Expected;

impl QueryBuilder<'_> {
    pub(super) fn add_case(&mut self, case: &Case) -> Result<(), String> {
        let roles = &self.collected.roles;
        let is_role = |name: &String| name == "every role" || roles.contains_key(name);
        let has_context =
            !case.contexts.is_empty() || case.endpoint.is_some() || case.under_organization;
        let never = case.expect == Expected::Never;
        // The query for everything that a role may do covers this already.
        if never && !has_context && case.principals.iter().all(is_role) {
            return self.add_prohibition(case);
        }
        let names = if case.principals.iter().any(|name| name == "every role") {
            self.roles(&case.principals, &case.except_principals)?
        } else {
            case.principals.clone()
        };
        for name in &names {
            let principal = self.principal(name)?;
            for term in &case.resources {
                for (label, target) in self.targets(term, &case.except_resources)? {
                    for action in &case.actions {
                        let query = self.request(case, &principal, &target, action)?;
                        let description = format!("{name}: {action} on {label}{}", context(case));
                        self.queries.requests.push(Request {
                            rule: case.rule.clone(),
                            description,
                            query,
                            allowed: case.expect == Expected::Allowed,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn request(
        &mut self,
        case: &Case,
        principal: &Principal,
        target: &Target,
        action: &str,
    ) -> Result<usize, String> {
        let any_context = case.expect == Expected::Never;
        let mut context = known_context(principal);
        if !any_context {
            context.insert("aws:SecureTransport".to_owned(), json!("true"));
            context.insert("s3:TlsVersion".to_owned(), json!("1.3"));
        }
        let absent = self.extend_context(case, &mut context)?;
        let mut query = principal_fields(principal);
        self.add_further_policies(case, &mut query)?;
        let mut add = |name: &str, value: Value| query.insert(name.to_owned(), value);
        add("action", json!(action));
        add("resource", resource(target));
        add("context", json!(context));
        add("absent", json!(absent));
        add("any_context", json!(any_context));
        Ok(self.batch.query(json!({"request": query})))
    }

    /// Adds the case's contexts, and returns the condition keys that the request does not carry.
    fn extend_context(
        &self,
        case: &Case,
        context: &mut BTreeMap<String, Value>,
    ) -> Result<Vec<String>, String> {
        let mut absent = Vec::new();
        for name in &case.contexts {
            let found = self.expectations.context.get(name);
            let found = found.ok_or_else(|| format!("there is no context {name}"))?;
            absent.extend(found.absent.iter().cloned());
            for (key, value) in &found.present {
                let value = match value {
                    ContextValue::One(text) => json!(self.substitute(text)?),
                    ContextValue::Several(texts) => json!(texts),
                };
                context.insert(key.clone(), value);
            }
        }
        Ok(absent)
    }

    /// Adds the policies of the endpoint and of the organization.
    fn add_further_policies(
        &self,
        case: &Case,
        query: &mut Map<String, Value>,
    ) -> Result<(), String> {
        if let Some(name) = &case.endpoint {
            let policy = self.collected.endpoints.get(name);
            let policy = policy.ok_or_else(|| format!("there is no endpoint {name}"))?;
            query.insert("endpoint".to_owned(), json!([self.batch_index(*policy)]));
        }
        if case.under_organization {
            let policies = self.collected.organization.iter();
            let policies: Vec<usize> = policies.map(|policy| self.batch_index(*policy)).collect();
            if policies.is_empty() {
                return Err("there is no policy of the organization".to_owned());
            }
            // AWS attaches FullAWSAccess beside the policies of an organization.
            let all: Vec<usize> = [self.everything].into_iter().chain(policies).collect();
            query.insert("organization".to_owned(), json!(all));
        }
        Ok(())
    }
}

/// The context of a case in words.
fn context(case: &Case) -> String {
    let mut words = String::new();
    if !case.contexts.is_empty() {
        words.extend([" with ", &case.contexts.join(", ")]);
    }
    if let Some(endpoint) = &case.endpoint {
        words.extend([" through ", endpoint]);
    }
    words
}
