//! The queries for the simulator, made of an architecture and the expectations.

mod permissions;
mod request;
mod terms;

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::EVERY_POLICY_IS_VALID;
use super::batch::Batch;
use super::collect::Collected;
use super::expectations::PolicyExpectations;
use crate::architecture::Architecture;

/// An account outside of these templates.
const FOREIGN_ACCOUNT: &str = "000000000000";

/// The queries about one architecture, as indices into a [`Batch`], and what their results must be.
#[derive(Clone, Debug, Default)]
pub struct Queries {
    /// The validation of each policy, with the policy's label.
    pub(super) policies: Vec<(String, usize)>,
    /// The query for everything that a role may do, by the role's label.
    pub(super) permissions: BTreeMap<String, usize>,
    pub(super) requests: Vec<Request>,
    pub(super) prohibitions: Vec<Prohibition>,
    pub(super) listed_grants: Vec<ListedGrant>,
    /// Faults that need no query: a rule and a message.
    pub(super) faults: Vec<(String, String)>,
}

/// A single request, and whether it must be allowed.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) rule: String,
    /// The request in words.
    pub(super) description: String,
    pub(super) query: usize,
    pub(super) allowed: bool,
}

/// A case that expects `never`: roles by their labels, resources as patterns of ARNs.
#[derive(Clone, Debug)]
pub(super) struct Prohibition {
    pub(super) rule: String,
    pub(super) principals: Vec<String>,
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) except_resources: Vec<String>,
}

/// An entry of the list of grants: roles by their labels, resources as patterns of ARNs.
#[derive(Clone, Debug)]
pub(super) struct ListedGrant {
    pub(super) principals: Vec<String>,
    pub(super) actions: Vec<String>,
    pub(super) level: Vec<String>,
    pub(super) resources: Vec<String>,
}

/// The principal of a request, with its policies as indices into the batch.
#[derive(Clone, Debug)]
struct Principal {
    arn: String,
    account: String,
    identity: Vec<usize>,
    boundary: Option<usize>,
}

/// The resource of a request, with its policy as an index into the batch.
#[derive(Clone, Debug)]
struct Target {
    arn: String,
    account: String,
    policy: Option<usize>,
    tags: BTreeMap<String, String>,
}

/// Builds the queries about one architecture.
pub(super) struct QueryBuilder<'a> {
    batch: &'a mut Batch,
    collected: Collected,
    /// The index in the batch of each collected policy.
    policies: Vec<usize>,
    expectations: &'a PolicyExpectations,
    queries: Queries,
    /// The region of the main stack.
    region: String,
    /// The account of the main stack.
    account: String,
    /// The index of an identity policy that allows everything.
    everything: usize,
    /// The index of a resource policy that allows everything to everyone.
    anyone: usize,
}

impl<'a> QueryBuilder<'a> {
    pub(super) fn new(
        architecture: &'a Architecture,
        expectations: &'a PolicyExpectations,
        batch: &'a mut Batch,
    ) -> Self {
        let mut collected = Collected::from(architecture, &expectations.key);
        let first = collected.objects.values().next();
        let home = collected.objects.get("keys/PhiKey").or(first);
        let (region, account) = home.map_or_else(Default::default, |home| {
            (home.region.clone(), home.account.clone())
        });
        collected.add_later_key();
        let policies = collected.policies.iter();
        let policies = policies
            .map(|policy| batch.policy(&policy.document))
            .collect();
        let everything = batch.policy(&allow_all("Everything", None));
        let anyone = batch.policy(&allow_all("Anyone", Some(&json!("*"))));
        Self {
            batch,
            collected,
            policies,
            expectations,
            queries: Queries::default(),
            region,
            account,
            everything,
            anyone,
        }
    }

    pub(super) fn build(mut self) -> Queries {
        self.add_policies();
        self.add_permissions();
        self.add_listed_grants();
        for case in &self.expectations.cases {
            if let Err(fault) = self.add_case(case) {
                self.queries.faults.push((case.rule.clone(), fault));
            }
        }
        self.queries
    }

    fn add_policies(&mut self) {
        for fault in std::mem::take(&mut self.collected.errors) {
            let fault = (EVERY_POLICY_IS_VALID.to_owned(), fault);
            self.queries.faults.push(fault);
        }
        for (policy, index) in self.collected.policies.iter().zip(&self.policies) {
            let kind = policy.kind.simulator_name();
            let query = json!({"validate": {"policy": index, "kind": kind}});
            let query = self.batch.query(query);
            self.queries.policies.push((policy.label.clone(), query));
        }
    }
}

/// A policy that allows everything: as an identity policy, or as a resource policy to a principal.
fn allow_all(sid: &str, principal: Option<&Value>) -> Value {
    let mut statement = json!({"Sid": sid, "Effect": "Allow", "Action": "*", "Resource": "*"});
    if let (Some(principal), Some(statement)) = (principal, statement.as_object_mut()) {
        statement.insert("Principal".to_owned(), principal.clone());
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// The part of a request context that follows from the principal.
fn known_context(principal: &Principal) -> BTreeMap<String, Value> {
    let is_service = principal.arn.ends_with(".amazonaws.com");
    let mut context = BTreeMap::new();
    let mut add = |key: &str, value: &str| context.insert(key.to_owned(), json!(value));
    add("aws:PrincipalIsAWSService", &is_service.to_string());
    if !is_service {
        add("aws:PrincipalArn", &principal.arn);
        add("aws:PrincipalAccount", &principal.account);
        add("aws:userid", "AROAEXAMPLE:someone");
        add("kms:CallerAccount", &principal.account);
    }
    context
}

/// The fields of a query that describe the principal.
fn principal_fields(principal: &Principal) -> Map<String, Value> {
    let mut query = Map::new();
    query.insert("principal".to_owned(), json!(principal.arn));
    query.insert("identity".to_owned(), json!(principal.identity));
    if let Some(boundary) = principal.boundary {
        query.insert("boundary".to_owned(), json!([boundary]));
    }
    query
}

/// A resource as the simulator reads it.
fn resource(target: &Target) -> Value {
    let mut resource = json!({
        "arn": target.arn,
        "account": target.account,
        "tags": target.tags,
    });
    if let (Some(policy), Some(object)) = (target.policy, resource.as_object_mut()) {
        object.insert("policy".to_owned(), json!(policy));
    }
    resource
}
