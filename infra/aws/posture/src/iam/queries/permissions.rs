//! Queries for everything that a role may do, and what its result is compared with.

use serde_json::Value;
use serde_json::json;

use super::FOREIGN_ACCOUNT;
use super::ListedGrant;
use super::Prohibition;
use super::QueryBuilder;
use super::allow_all;
use super::known_context;
use super::principal_fields;
use super::resource;
use crate::iam::NO_EXCESS;
use crate::iam::expectations::Case;

impl QueryBuilder<'_> {
    pub(super) fn add_permissions(&mut self) {
        let resource_set = self.resource_set();
        let root = json!({"AWS": format!("arn:aws:iam::{}:root", self.account)});
        let left_to_iam = self.batch.policy(&allow_all("LeftToIam", Some(&root)));
        let foreign = json!({
            "region": self.region, "account": FOREIGN_ACCOUNT, "policy": self.anyone,
        });
        for label in self.collected.roles.keys().cloned().collect::<Vec<_>>() {
            let Ok(principal) = self.principal(&label) else {
                continue;
            };
            let mut query = principal_fields(&principal);
            let mut add = |name: &str, value: Value| query.insert(name.to_owned(), value);
            add("resource_set", json!(resource_set));
            add("foreign", foreign.clone());
            // Keys and roles outside of the templates are assumed to leave access to IAM.
            let home = json!({
                "region": self.region,
                "account": principal.account,
                "policies": {"kms": left_to_iam, "sts": left_to_iam},
            });
            add("home", home);
            add("context", json!(known_context(&principal)));
            let query = self.batch.query(json!({"permissions": query}));
            self.queries.permissions.insert(label, query);
        }
    }

    /// The index of all resources; a bucket and a log group also with an object or stream in it.
    fn resource_set(&mut self) -> usize {
        let mut resources = Vec::new();
        for object in self.collected.objects.values() {
            let suffixes: &[&str] = match object.resource_type.as_str() {
                "AWS::S3::Bucket" => &["", "/some"],
                "AWS::Logs::LogGroup" => &["", ":log-stream:some"],
                _ => &[""],
            };
            for suffix in suffixes {
                resources.push(resource(&self.target(object, suffix)));
            }
        }
        self.batch.resource_set(json!(resources))
    }

    pub(super) fn add_listed_grants(&mut self) {
        for grant in &self.expectations.grants {
            let resolved = self
                .roles(&grant.principals, &[])
                .and_then(|roles| Ok((roles, self.all_patterns(&grant.resources)?)));
            match resolved {
                Ok((principals, resources)) => self.queries.listed_grants.push(ListedGrant {
                    principals,
                    actions: grant.actions.clone(),
                    level: grant.level.clone(),
                    resources,
                }),
                Err(fault) => self.queries.faults.push((NO_EXCESS.to_owned(), fault)),
            }
        }
    }

    /// Adds a case that expects `never` of roles with all their policies.
    pub(super) fn add_prohibition(&mut self, case: &Case) -> Result<(), String> {
        let everything = ["*".to_owned()];
        let resources = if case.resources.is_empty() {
            &everything
        } else {
            case.resources.as_slice()
        };
        let prohibition = Prohibition {
            rule: case.rule.clone(),
            principals: self.roles(&case.principals, &case.except_principals)?,
            actions: case.actions.clone(),
            resources: self.all_patterns(resources)?,
            except_resources: self.all_patterns(&case.except_resources)?,
        };
        self.queries.prohibitions.push(prohibition);
        Ok(())
    }

    fn all_patterns(&self, terms: &[String]) -> Result<Vec<String>, String> {
        let patterns = terms.iter().map(|term| self.patterns(term));
        Ok(patterns.collect::<Result<Vec<_>, _>>()?.concat())
    }
}
