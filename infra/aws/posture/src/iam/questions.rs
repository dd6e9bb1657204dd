//! From an architecture and the catalogue to questions.

mod meaning;
mod request;
mod surface;

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::UNDERSTOOD;
use super::batch::Batch;
use super::catalogue::Catalogue;
use super::collect::Collected;
use crate::Architecture;

/// An account that belongs to nobody whom we know.
const STRANGER: &str = "000000000000";

/// What is asked about one architecture, by places in a [`Batch`].
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// Of each policy: what in it is not understood.
    pub(super) checks: Vec<(String, usize)>,
    /// All that a role may do, by its label.
    pub(super) surfaces: BTreeMap<String, usize>,
    /// Single requests.
    pub(super) requests: Vec<Request>,
    /// What must not be among all that roles may do.
    pub(super) bans: Vec<Ban>,
    /// What has to be all that they may do.
    pub(super) permitted: Vec<Permitted>,
    /// What is wrong already, by rule.
    pub(super) faults: Vec<(String, String)>,
}

/// One request, and whether it is to be allowed.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) rule: String,
    /// What is asked, for people.
    pub(super) said: String,
    pub(super) place: usize,
    pub(super) allowed: bool,
}

/// A case that says `never`, with roles by their labels and patterns of ARNs.
#[derive(Clone, Debug)]
pub(super) struct Ban {
    pub(super) rule: String,
    pub(super) who: Vec<String>,
    pub(super) actions: Vec<String>,
    pub(super) on: Vec<String>,
    pub(super) except: Vec<String>,
}

/// A `may`, likewise.
#[derive(Clone, Debug)]
pub(super) struct Permitted {
    pub(super) who: Vec<String>,
    pub(super) actions: Vec<String>,
    pub(super) level: Vec<String>,
    pub(super) on: Vec<String>,
}

/// Who asks, with what decides it. Policies are places in the batch.
#[derive(Clone, Debug)]
struct Principal {
    arn: String,
    account: String,
    identity: Vec<usize>,
    boundary: Option<usize>,
}

/// What is done something to.
#[derive(Clone, Debug)]
struct Target {
    arn: String,
    account: String,
    policy: Option<usize>,
    tags: BTreeMap<String, String>,
}

/// Questions in the making.
pub(super) struct Asking<'a> {
    batch: &'a mut Batch,
    collected: Collected,
    /// Where in the batch its policies are.
    places: Vec<usize>,
    catalogue: &'a Catalogue,
    asked: Questions,
    /// Where most of it is deployed.
    region: String,
    account: String,
    /// The place of a policy that allows everything,
    everything: usize,
    /// and of one that lets everybody do so.
    anyone: usize,
}

impl<'a> Asking<'a> {
    pub(super) fn of(
        architecture: &'a Architecture,
        catalogue: &'a Catalogue,
        batch: &'a mut Batch,
    ) -> Self {
        let mut collected = Collected::from(architecture, &catalogue.key);
        let first = collected.objects.values().next();
        let home = collected.objects.get("keys/PhiKey").or(first);
        let (region, account) = home.map_or_else(Default::default, |home| {
            (home.region.clone(), home.account.clone())
        });
        collected.add_later_key();
        let policies = collected.policies.iter();
        let places = policies
            .map(|policy| batch.policy(&policy.document))
            .collect();
        let everything = batch.policy(&allowing("Everything", None));
        let anyone = batch.policy(&allowing("Anyone", Some(&json!("*"))));
        let asked = Questions::default();
        Self {
            batch,
            collected,
            places,
            catalogue,
            asked,
            region,
            account,
            everything,
            anyone,
        }
    }

    pub(super) fn all(mut self) -> Questions {
        self.checks();
        self.surfaces();
        self.permitted();
        for case in &self.catalogue.case {
            if let Err(fault) = self.case(case) {
                self.asked.faults.push((case.rule.clone(), fault));
            }
        }
        self.asked
    }

    fn checks(&mut self) {
        for fault in std::mem::take(&mut self.collected.unread) {
            self.asked.faults.push((UNDERSTOOD.to_owned(), fault));
        }
        for (policy, place) in self.collected.policies.iter().zip(&self.places) {
            let question = json!({"check": {"policy": place, "kind": policy.kind.word()}});
            let place = self.batch.question(question);
            self.asked.checks.push((policy.place.clone(), place));
        }
    }
}

/// A policy that allows everything, to whoever has it or to a principal.
fn allowing(sid: &str, principal: Option<&Value>) -> Value {
    let mut statement = json!({"Sid": sid, "Effect": "Allow", "Action": "*", "Resource": "*"});
    if let (Some(principal), Some(statement)) = (principal, statement.as_object_mut()) {
        statement.insert("Principal".to_owned(), principal.clone());
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// What a request carries in any case.
fn certain(principal: &Principal) -> BTreeMap<String, Value> {
    let service = principal.arn.ends_with(".amazonaws.com");
    let mut context = BTreeMap::new();
    let mut say = |key: &str, value: &str| context.insert(key.to_owned(), json!(value));
    say("aws:PrincipalIsAWSService", &service.to_string());
    if !service {
        say("aws:PrincipalArn", &principal.arn);
        say("aws:PrincipalAccount", &principal.account);
        say("aws:userid", "AROAEXAMPLE:someone");
        say("kms:CallerAccount", &principal.account);
    }
    context
}

/// The part of a question that says who asks.
fn asker(principal: &Principal) -> Map<String, Value> {
    let mut question = Map::new();
    question.insert("principal".to_owned(), json!(principal.arn));
    question.insert("identity".to_owned(), json!(principal.identity));
    if let Some(boundary) = principal.boundary {
        question.insert("boundary".to_owned(), json!([boundary]));
    }
    question
}

/// The part that says to what something is done.
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
