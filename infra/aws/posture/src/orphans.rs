//! Orphans of the register: a requirement without a control, a control without a rule or mutant, a rule without a
//! control or unit case, a resource type without a control.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::controls::Control;
use crate::controls::Register;
use crate::guard::UnitCases;
use crate::mutants;
use crate::templates::Templates;

/// What the register is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Inventory<'a> {
    /// The templates.
    pub templates: &'a Templates,
    /// The folder that contains `machine/`.
    pub folder: &'a Path,
    /// The names of all rules, `kind/name`.
    pub rules: &'a BTreeSet<String>,
    /// The unit cases of the rules for cfn-guard.
    pub cases: &'a BTreeMap<String, UnitCases>,
}

impl Register {
    /// The orphans, a sentence each; none if everything has its counterpart.
    #[must_use]
    pub fn orphans(&self, inventory: Inventory<'_>) -> Vec<String> {
        let mut found = self.duplicate_ids();
        found.extend(self.isolated_requirements());
        let each = self
            .controls
            .iter()
            .flat_map(|control| control.faults(inventory));
        found.extend(each);
        found.extend(self.isolated_rules(inventory));
        found.extend(self.isolated_types(inventory.templates));
        found
    }

    fn duplicate_ids(&self) -> Vec<String> {
        let requirements = self.requirements.iter().map(|requirement| &requirement.id);
        let mut found = duplicates("requirements", requirements);
        found.extend(duplicates(
            "controls",
            self.controls.iter().map(|control| &control.id),
        ));
        found
    }

    fn isolated_requirements(&self) -> Vec<String> {
        let met: BTreeSet<&str> = self
            .controls
            .iter()
            .flat_map(Control::requirements)
            .collect();
        let known: BTreeSet<&str> = self
            .requirements
            .iter()
            .map(|one| one.id.as_str())
            .collect();
        let unmet = known.difference(&met);
        let unmet = unmet.map(|id| format!("requirement {id}: no control meets it"));
        let unknown = self.controls.iter().flat_map(|control| {
            let unknown = control.requirements().filter(|id| !known.contains(id));
            unknown.map(|id| format!("control {}: there is no requirement {id}", control.id))
        });
        unmet.chain(unknown).collect()
    }

    fn isolated_rules(&self, inventory: Inventory<'_>) -> Vec<String> {
        let used: BTreeSet<&str> = self.controls.iter().map(|one| one.rule.as_str()).collect();
        let mut found = Vec::new();
        for rule in inventory.rules {
            if !used.contains(rule.as_str()) {
                found.push(format!("rule {rule}: no control names it"));
            }
            let cases = inventory.cases.get(rule).copied().unwrap_or_default();
            if rule.starts_with("guard/") && (cases.passes == 0 || cases.fails == 0) {
                found.push(format!(
                    "rule {rule}: must have a unit case that passes and one that fails"
                ));
            }
        }
        let unknown = inventory
            .cases
            .keys()
            .filter(|rule| !inventory.rules.contains(*rule));
        found.extend(unknown.map(|rule| format!("unit case of {rule}: there is no such rule")));
        found
    }

    fn isolated_types(&self, templates: &Templates) -> Vec<String> {
        let resources = |template: &'_ Value| {
            let resources = template.get("Resources").and_then(Value::as_object);
            let kinds = resources
                .into_iter()
                .flatten()
                .filter_map(|(_, one)| one.get("Type")?.as_str());
            kinds.map(str::to_owned).collect::<Vec<_>>()
        };
        let declared: BTreeSet<String> = templates
            .iter()
            .flat_map(|(_, template)| resources(template))
            .collect();
        let controlled: BTreeSet<String> = self
            .controls
            .iter()
            .filter_map(|control| kind(templates, &control.resource))
            .collect();
        let exemptions: BTreeSet<&str> = self
            .exemptions
            .iter()
            .map(|one| one.resource_type.as_str())
            .collect();
        let isolated = declared
            .iter()
            .filter(|kind| !controlled.contains(*kind) && !exemptions.contains(kind.as_str()));
        let isolated = isolated
            .map(|kind| format!("type {kind}: neither a control nor an exemption names it"));
        let needless = exemptions
            .iter()
            .filter(|kind| controlled.contains(**kind) || !declared.contains(**kind));
        let needless = needless.map(|kind| format!("type {kind}: the exemption is not needed"));
        isolated.chain(needless).collect()
    }
}

impl Control {
    fn requirements(&self) -> impl Iterator<Item = &str> {
        self.requirement.all().iter().map(String::as_str)
    }

    fn faults(&self, inventory: Inventory<'_>) -> Vec<String> {
        let conditions = [
            (
                !is_kebab(&self.id),
                "its id must consist of lower-case words and hyphens".to_owned(),
            ),
            (self.cfr.is_empty(), "`cfr` is empty".to_owned()),
            (
                self.cfr.iter().any(|citation| !is_citation(citation)),
                "a citation must have the form 164.312(a)(2)(iv)".to_owned(),
            ),
            (
                !inventory.rules.contains(&self.rule),
                format!("there is no rule {}", self.rule),
            ),
            (self.mutants.is_empty(), "it has no mutant".to_owned()),
            (
                !self.names_a_property_of(inventory),
                format!("there is no {} {}", self.resource, self.property),
            ),
            (
                self.environments.is_empty() != self.reason.is_empty(),
                "`environments` and `reason` require each other".to_owned(),
            ),
        ];
        let wrong = conditions.into_iter().filter(|(is_wrong, _)| *is_wrong);
        wrong
            .map(|(_, what)| format!("control {}: {what}", self.id))
            .collect()
    }

    fn names_a_property_of(&self, inventory: Inventory<'_>) -> bool {
        if self.resource.starts_with("machine/") {
            return inventory.folder.join(&self.resource).is_file();
        }
        resource(inventory.templates, &self.resource)
            .is_some_and(|resource| mutants::is_there(resource, &self.property))
    }
}

/// A sentence for each id that occurs twice.
fn duplicates<'i>(kind: &str, ids: impl Iterator<Item = &'i String>) -> Vec<String> {
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
