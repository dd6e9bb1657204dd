//! Cases as single requests.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Asking;
use super::Principal;
use super::Request;
use super::Target;
use super::asker;
use super::certain;
use super::resource;
use crate::iam::catalogue::Case;
use crate::iam::catalogue::Expectation;
use crate::iam::catalogue::Present;

impl Asking<'_> {
    pub(super) fn case(&mut self, case: &Case) -> Result<(), String> {
        let roles = &self.collected.roles;
        let as_they_are = |who: &String| who == "every role" || roles.contains_key(who);
        let plain = case.with.is_empty() && case.through.is_none() && !case.under_organization;
        let never = case.expect == Expectation::Never;
        if plain && never && case.who.iter().all(as_they_are) {
            return self.ban(case);
        }
        let who = if case.who.iter().any(|who| who == "every role") {
            self.roles(&case.who, &case.but)?
        } else {
            case.who.clone()
        };
        for who in &who {
            let principal = self.principal(who)?;
            for on in &case.on {
                for (said, target) in self.targets(on, &case.except)? {
                    for action in &case.actions {
                        let place = self.request(case, &principal, &target, action)?;
                        let said = format!("{who}: {action} on {said}{}", surroundings(case));
                        self.asked.requests.push(Request {
                            rule: case.rule.clone(),
                            said,
                            place,
                            allowed: case.expect == Expectation::Allowed,
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
        let any = case.expect == Expectation::Never;
        let mut context = certain(principal);
        if !any {
            context.insert("aws:SecureTransport".to_owned(), json!("true"));
            context.insert("s3:TlsVersion".to_owned(), json!("1.3"));
        }
        let absent = self.carried(case, &mut context)?;
        let mut question = asker(principal);
        self.passed(case, &mut question)?;
        let mut say = |name: &str, value: Value| question.insert(name.to_owned(), value);
        say("action", json!(action));
        say("resource", resource(target));
        say("context", json!(context));
        say("absent", json!(absent));
        say("any", json!(any));
        Ok(self.batch.question(json!({"ask": question})))
    }

    /// Adds what the case's contexts carry, and tells what they are certain not to carry.
    fn carried(
        &self,
        case: &Case,
        context: &mut BTreeMap<String, Value>,
    ) -> Result<Vec<String>, String> {
        let mut absent = Vec::new();
        for name in &case.with {
            let found = self.catalogue.context.get(name);
            let found = found.ok_or_else(|| format!("there is no context {name}"))?;
            absent.extend(found.absent.iter().cloned());
            for (key, value) in &found.present {
                let value = match value {
                    Present::One(text) => json!(self.filled(text)?),
                    Present::Several(texts) => json!(texts),
                };
                context.insert(key.clone(), value);
            }
        }
        Ok(absent)
    }

    /// Adds what the request has to pass on its way.
    fn passed(&self, case: &Case, question: &mut Map<String, Value>) -> Result<(), String> {
        if let Some(name) = &case.through {
            let index = self.collected.endpoints.get(name);
            let index = index.ok_or_else(|| format!("there is no endpoint {name}"))?;
            question.insert("endpoint".to_owned(), json!([self.place(*index)]));
        }
        if case.under_organization {
            let policies = self.collected.organization.iter();
            let refused: Vec<usize> = policies.map(|index| self.place(*index)).collect();
            if refused.is_empty() {
                return Err("no policy of the organization is there".to_owned());
            }
            // The organization's own policy, which allows everything, stands beside it.
            let all: Vec<usize> = [self.everything].into_iter().chain(refused).collect();
            question.insert("organization".to_owned(), json!(all));
        }
        Ok(())
    }
}

fn surroundings(case: &Case) -> String {
    let mut said = String::new();
    if !case.with.is_empty() {
        said.extend([" with ", &case.with.join(", ")]);
    }
    if let Some(endpoint) = &case.through {
        said.extend([" through ", endpoint]);
    }
    said
}
