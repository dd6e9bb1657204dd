//! All that each role may do, and what must and must not be in it.

use serde_json::Value;
use serde_json::json;

use super::Asking;
use super::Ban;
use super::Permitted;
use super::STRANGER;
use super::allowing;
use super::asker;
use super::certain;
use super::resource;
use crate::iam::PRODUCT;
use crate::iam::catalogue::Case;

impl Asking<'_> {
    pub(super) fn surfaces(&mut self) {
        let scene = self.scene();
        let root = json!({"AWS": format!("arn:aws:iam::{}:root", self.account)});
        let left = self.batch.policy(&allowing("LeftToIam", Some(&root)));
        let elsewhere = json!({
            "region": self.region, "account": STRANGER, "policy": self.anyone,
        });
        for label in self.collected.roles.keys().cloned().collect::<Vec<_>>() {
            let Ok(principal) = self.principal(&label) else {
                continue;
            };
            let mut question = asker(&principal);
            let mut say = |name: &str, value: Value| question.insert(name.to_owned(), value);
            say("scene", json!(scene));
            say("elsewhere", elsewhere.clone());
            // Keys and roles that nobody wrote a policy for leave it to IAM.
            let home = json!({
                "region": self.region,
                "account": principal.account,
                "policies": {"kms": left, "sts": left},
            });
            say("home", home);
            say("context", json!(certain(&principal)));
            let place = self.batch.question(json!({"all": question}));
            self.asked.surfaces.insert(label, place);
        }
    }

    /// The place of all resources; a bucket and a log group also with something in them.
    fn scene(&mut self) -> usize {
        let mut resources = Vec::new();
        for object in self.collected.objects.values() {
            let forms: &[&str] = match object.kind.as_str() {
                "AWS::S3::Bucket" => &["", "/some"],
                "AWS::Logs::LogGroup" => &["", ":log-stream:some"],
                _ => &[""],
            };
            for form in forms {
                resources.push(resource(&self.under(object, form)));
            }
        }
        self.batch.scene(json!(resources))
    }

    pub(super) fn permitted(&mut self) {
        for may in &self.catalogue.may {
            let meant = self
                .roles(&may.who, &[])
                .and_then(|who| Ok((who, self.all_patterns(&may.on)?)));
            match meant {
                Ok((who, on)) => self.asked.permitted.push(Permitted {
                    who,
                    actions: may.actions.clone(),
                    level: may.level.clone(),
                    on,
                }),
                Err(fault) => self.asked.faults.push((PRODUCT.to_owned(), fault)),
            }
        }
    }

    /// A case that says `never` of roles as they are.
    pub(super) fn ban(&mut self, case: &Case) -> Result<(), String> {
        let everything = ["*".to_owned()];
        let on = if case.on.is_empty() {
            &everything
        } else {
            case.on.as_slice()
        };
        let ban = Ban {
            rule: case.rule.clone(),
            who: self.roles(&case.who, &case.but)?,
            actions: case.actions.clone(),
            on: self.all_patterns(on)?,
            except: self.all_patterns(&case.except)?,
        };
        self.asked.bans.push(ban);
        Ok(())
    }

    fn all_patterns(&self, all: &[String]) -> Result<Vec<String>, String> {
        let patterns = all.iter().map(|on| self.patterns(on));
        Ok(patterns.collect::<Result<Vec<_>, _>>()?.concat())
    }
}
