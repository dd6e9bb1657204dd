//! Every rule passes on a small architecture, and fails for each of its faults.

mod faults;
mod small;

use std::collections::BTreeSet;

use serde_json::json;

use super::draw;
use super::evaluate;
use super::names;
use crate::architecture::Architecture;
use crate::verdict::Verdict;
use faults::FAULTS;
use small::Small;

#[test]
fn every_rule_passes_on_an_architecture_without_faults() {
    let verdicts = evaluate(&Small::new().architecture());
    let faults: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.passed).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(verdicts.len(), names().count());
}

#[test]
fn every_rule_fails_for_each_of_its_faults() {
    let mut unseen = Vec::new();
    for (rule, name, put) in FAULTS {
        let mut small = Small::new();
        put(&mut small);
        let verdicts = evaluate(&small.architecture());
        let verdict = verdicts
            .iter()
            .find(|verdict| verdict.rule == format!("reach/{rule}"))
            .unwrap();
        // The rule itself must fail, not the model.
        if verdict.passed || verdict.message.contains("not evaluated while") {
            unseen.push((rule, name, verdict.message.clone()));
        }
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
}

#[test]
fn every_rule_has_a_fault() {
    let proved: BTreeSet<String> = FAULTS
        .iter()
        .map(|(rule, ..)| format!("reach/{rule}"))
        .collect();
    assert_eq!(proved, names().collect());
}

#[test]
fn no_rule_passes_while_there_are_diagnostics() {
    let mut small = Small::new();
    small.put("Peering", "AWS::EC2::VPCPeeringConnection", json!({}));
    let verdicts = evaluate(&small.architecture());
    assert!(verdicts.iter().all(|verdict| !verdict.passed));
}

#[test]
fn an_empty_architecture_passes_no_rule_about_its_nodes() {
    let verdicts = evaluate(&Architecture::default());
    let claims: Vec<&String> = verdicts
        .iter()
        .filter(|verdict| verdict.passed)
        .map(|verdict| &verdict.rule)
        .collect();
    assert!(
        !claims
            .iter()
            .any(|rule| rule.contains("database") || rule.contains("internet_reaches"))
    );
}

#[test]
fn the_diagram_shows_what_the_rules_evaluate() {
    let mut small = Small::new();
    let drawn = draw(&small.architecture());
    assert_eq!(drawn, draw(&Small::new().architecture()));
    assert!(drawn.contains("tcp 3306 · MySQL over TLS"));
    assert!(!drawn.contains("class=\"wrong\""));

    let groups = json!([{"Ref": "InnerGroup"}, {"Ref": "AppGroup"}]);
    small.set("Inner", "SecurityGroups", groups);
    assert!(draw(&small.architecture()).contains("class=\"wrong\""));

    small.put("Nat", "AWS::EC2::NatGateway", json!({}));
    assert!(draw(&small.architecture()).contains("Not drawn"));
}
