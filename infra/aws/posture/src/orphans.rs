//! What stands alone: a sentence without a control, a control without a rule, a rule without a mutant,
//! a resource without anything.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::controls::Control;
use crate::controls::Register;
use crate::mutants;
use crate::rules::Cases;
use crate::templates::Templates;

/// Everything that a register has to fit.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The templates.
    pub templates: &'a Templates,
    /// The folder that `machine/…` is in.
    pub folder: &'a Path,
    /// Every rule, `kind/name`.
    pub rules: &'a BTreeSet<String>,
    /// The unit cases of those that are cfn-guard's.
    pub cases: &'a BTreeMap<String, Cases>,
}

impl Register {
    /// Each orphan in a sentence; none if everything has its counterpart, in every direction.
    #[must_use]
    pub fn orphans(&self, around: Surroundings<'_>) -> Vec<String> {
        let mut found = self.twice();
        found.extend(self.sentences_alone());
        let each = self
            .controls
            .iter()
            .flat_map(|control| control.faults(around));
        found.extend(each);
        found.extend(self.rules_alone(around));
        found.extend(self.kinds_alone(around.templates));
        found
    }

    fn twice(&self) -> Vec<String> {
        let sentences = self.sentences.iter().map(|sentence| &sentence.id);
        let mut found = again("sentences", sentences);
        found.extend(again(
            "controls",
            self.controls.iter().map(|control| &control.id),
        ));
        found
    }

    fn sentences_alone(&self) -> Vec<String> {
        let kept: BTreeSet<&str> = self.controls.iter().flat_map(Control::sentences).collect();
        let known: BTreeSet<&str> = self.sentences.iter().map(|one| one.id.as_str()).collect();
        let unkept = known.difference(&kept);
        let unkept = unkept.map(|id| format!("sentence {id}: no control keeps it"));
        let unknown = self.controls.iter().flat_map(|control| {
            let unknown = control.sentences().filter(|id| !known.contains(id));
            unknown.map(|id| format!("control {}: there is no sentence {id}", control.id))
        });
        unkept.chain(unknown).collect()
    }

    fn rules_alone(&self, around: Surroundings<'_>) -> Vec<String> {
        let used: BTreeSet<&str> = self.controls.iter().map(|one| one.rule.as_str()).collect();
        let mut found = Vec::new();
        for rule in around.rules {
            if !used.contains(rule.as_str()) {
                found.push(format!("rule {rule}: no control names it"));
            }
            let cases = around.cases.get(rule).copied().unwrap_or_default();
            if rule.starts_with("guard/") && (cases.passes == 0 || cases.fails == 0) {
                found.push(format!(
                    "rule {rule}: needs a unit case that passes and one that fails"
                ));
            }
        }
        let unknown = around
            .cases
            .keys()
            .filter(|rule| !around.rules.contains(*rule));
        found.extend(unknown.map(|rule| format!("unit case of {rule}: there is no such rule")));
        found
    }

    fn kinds_alone(&self, templates: &Templates) -> Vec<String> {
        let resources = |template: &'_ Value| {
            let resources = template.get("Resources").and_then(Value::as_object);
            let kinds = resources
                .into_iter()
                .flatten()
                .filter_map(|(_, one)| one.get("Type")?.as_str());
            kinds.map(str::to_owned).collect::<Vec<_>>()
        };
        let there: BTreeSet<String> = templates
            .iter()
            .flat_map(|(_, template)| resources(template))
            .collect();
        let controlled: BTreeSet<String> = self
            .controls
            .iter()
            .filter_map(|control| kind(templates, &control.resource))
            .collect();
        let plain: BTreeSet<&str> = self.plain.iter().map(|one| one.kind.as_str()).collect();
        let alone = there
            .iter()
            .filter(|kind| !controlled.contains(*kind) && !plain.contains(kind.as_str()));
        let alone =
            alone.map(|kind| format!("type {kind}: no control names one, nor is it said why not"));
        let needless = plain
            .iter()
            .filter(|kind| controlled.contains(**kind) || !there.contains(**kind));
        let needless = needless.map(|kind| format!("type {kind}: needs no excuse any more"));
        alone.chain(needless).collect()
    }
}

impl Control {
    fn sentences(&self) -> impl Iterator<Item = &str> {
        self.sentence.all().iter().map(String::as_str)
    }

    fn faults(&self, around: Surroundings<'_>) -> Vec<String> {
        let wrong = [
            (
                !is_kebab(&self.id),
                "its id is not made of lower-case words and hyphens".to_owned(),
            ),
            (self.cfr.is_empty(), "cites nothing".to_owned()),
            (
                self.cfr.iter().any(|citation| !is_citation(citation)),
                "a citation is written 164.312(a)(2)(iv)".to_owned(),
            ),
            (
                !around.rules.contains(&self.rule),
                format!("there is no rule {}", self.rule),
            ),
            (self.mutants.is_empty(), "has no mutant".to_owned()),
            (
                !self.is_in(around),
                format!("there is no {} {}", self.resource, self.property),
            ),
            (
                self.environments.is_empty() != self.reason.is_empty(),
                "`environments` and `reason` go together".to_owned(),
            ),
        ];
        let told = wrong.into_iter().filter(|(is_wrong, _)| *is_wrong);
        told.map(|(_, what)| format!("control {}: {what}", self.id))
            .collect()
    }

    fn is_in(&self, around: Surroundings<'_>) -> bool {
        if self.resource.starts_with("machine/") {
            return around.folder.join(&self.resource).is_file();
        }
        resource(around.templates, &self.resource)
            .is_some_and(|resource| mutants::is_there(resource, &self.property))
    }
}

/// What stands more than once.
fn again<'i>(kind: &str, ids: impl Iterator<Item = &'i String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    ids.filter(|id| !seen.insert(*id))
        .map(|id| format!("two {kind} have the id {id}"))
        .collect()
}

fn resource<'t>(templates: &'t Templates, path: &str) -> Option<&'t Value> {
    let (template, id) = path.split_once('/')?;
    templates.template(template).ok()?.get("Resources")?.get(id)
}

fn kind(templates: &Templates, path: &str) -> Option<String> {
    let kind = resource(templates, path)?.get("Type")?.as_str()?;
    Some(kind.to_owned())
}

fn is_kebab(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_citation(text: &str) -> bool {
    let digits = text
        .strip_prefix("164.")
        .map(|rest| rest.split('(').next().unwrap_or(""));
    digits.is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()))
}
