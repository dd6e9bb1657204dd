//! Tests of the evaluation of policies, with results of the simulator as input.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::EVERY_POLICY_IS_VALID;
use super::NO_EXCESS;
use super::batch::Batch;
use super::batch::Results;
use super::expectations::PolicyExpectations;
use crate::architecture::Architecture;
use crate::verdict::Verdict;

fn architecture(resources: &[(&str, Value)]) -> Architecture {
    let whole = resources.iter().map(|(id, resource)| {
        let mut resource = resource.clone();
        resource["Metadata"] = json!({
            "Stack": "identity", "LogicalId": id, "Region": "us-east-1", "Account": "111122223333",
        });
        ((*id).to_owned(), resource)
    });
    Architecture::new(whole.collect::<Map<_, _>>())
}

fn role(policies: &Value) -> Value {
    json!({"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": "web",
        "AssumeRolePolicyDocument": allowing("sts:AssumeRole"),
        "Policies": policies,
    }})
}

fn allowing(action: &str) -> Value {
    json!({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})
}

fn expectations(text: &str) -> PolicyExpectations {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("iam.toml"), text).unwrap();
    PolicyExpectations::read(folder.path()).unwrap()
}

const NO_EXPECTATIONS: &str = "grant = []
case = []\n[context]\n";

/// The verdicts when `simulate` returns the result of each query.
fn evaluated(
    text: &str,
    architecture: &Architecture,
    simulate: fn(&Value) -> Value,
) -> Vec<Verdict> {
    let mut batch = Batch::default();
    let built = expectations(text).queries(architecture, &mut batch);
    let document = batch.document();
    let queries = document["queries"].as_array().unwrap().iter();
    let output = Value::Array(queries.map(simulate).collect()).to_string();
    let results: Results = batch.results(output.as_bytes()).unwrap();
    built.evaluate(&results)
}

fn no_findings(query: &Value) -> Value {
    match query.as_object().unwrap().keys().next().unwrap().as_str() {
        "validate" => json!({"problems": []}),
        "permissions" => json!({"grants": []}),
        _ => json!({"allowed": false, "by": []}),
    }
}

fn fault<'a>(verdicts: &'a [Verdict], rule: &str) -> &'a str {
    let found = verdicts.iter().find(|verdict| verdict.rule == rule);
    let found = found.unwrap_or_else(|| panic!("{rule} has no verdict"));
    assert_eq!(found.passed, found.message.is_empty());
    &found.message
}

#[test]
fn a_policy_in_a_property_that_is_not_read_fails() {
    let queue = json!({"Type": "AWS::SQS::QueuePolicy", "Properties": {
        "Queues": ["q"], "PolicyDocument": allowing("sqs:*"),
    }});
    let verdicts = evaluated(
        NO_EXPECTATIONS,
        &architecture(&[("Policy", queue)]),
        no_findings,
    );
    assert_eq!(
        fault(&verdicts, EVERY_POLICY_IS_VALID),
        "identity/Policy: nothing reads the policy in PolicyDocument"
    );
}

#[test]
fn an_aws_managed_policy_fails() {
    let mut web = role(&json!([]));
    web["Properties"]["ManagedPolicyArns"] = json!(["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    let verdicts = evaluated(
        NO_EXPECTATIONS,
        &architecture(&[("WebRole", web)]),
        no_findings,
    );
    assert!(fault(&verdicts, EVERY_POLICY_IS_VALID).contains("not declared in these templates"));
}

#[test]
fn a_reference_without_a_value_fails() {
    let mut document = allowing("s3:*");
    document["Statement"]["Resource"] = json!({"Fn::GetAtt": ["Gone", "Arn"]});
    let web = role(&json!([{"PolicyName": "p", "PolicyDocument": document}]));
    let verdicts = evaluated(
        NO_EXPECTATIONS,
        &architecture(&[("WebRole", web)]),
        no_findings,
    );
    assert!(fault(&verdicts, EVERY_POLICY_IS_VALID).contains("is not known"));
}

#[test]
fn a_grant_fails_unless_it_is_listed() {
    let grants = |query: &Value| match no_findings(query) {
        result if result.get("grants").is_some() => json!({"grants": [{
            "action": "s3:GetObject", "level": "Read", "resource": "arn:aws:s3:::b/o", "by": ["All"],
        }]}),
        result => result,
    };
    let web = architecture(&[("WebRole", role(&json!([])))]);
    let verdicts = evaluated(NO_EXPECTATIONS, &web, grants);
    assert_eq!(
        fault(&verdicts, NO_EXCESS),
        "identity/WebRole may s3:GetObject on arn:aws:s3:::b/o (Read; All)"
    );
    let listed = r#"
        case = []
        context = {}
        grant = [{ principals = ["identity/WebRole"], actions = ["s3:Get*"], level = ["Read"], resources = ["arn:aws:s3:::b/*"] }]
    "#;
    assert_eq!(fault(&evaluated(listed, &web, grants), NO_EXCESS), "");
}

#[test]
fn a_case_about_a_missing_resource_fails() {
    let text = r#"
        grant = []
        context = {}
        case = [{ rule = "r", principals = ["identity/WebRole"], actions = ["kms:Decrypt"], resources = ["keys/Gone"], expect = "denied" }]
    "#;
    let web = architecture(&[("WebRole", role(&json!([])))]);
    let verdicts = evaluated(text, &web, no_findings);
    assert_eq!(fault(&verdicts, "iam/r"), "there is no keys/Gone");
}

#[test]
fn a_query_without_a_result_is_not_a_denial() {
    let text = r#"
        grant = []
        context = {}
        case = [{ rule = "r", principals = ["identity/WebRole"], actions = ["kms:Decrypt"], resources = ["arn:aws:kms:us-east-1:111122223333:key/k"], expect = "denied" }]
    "#;
    let web = architecture(&[("WebRole", role(&json!([])))]);
    let unsupported = |query: &Value| match no_findings(query) {
        result if result.get("allowed").is_some() => json!({"fault": "no such action"}),
        result => result,
    };
    assert!(fault(&evaluated(text, &web, unsupported), "iam/r").contains("no such action"));
    assert_eq!(fault(&evaluated(text, &web, no_findings), "iam/r"), "");
}

#[test]
fn a_query_that_two_architectures_share_is_sent_once() {
    let web = architecture(&[("WebRole", role(&json!([])))]);
    let mut batch = Batch::default();
    let expectations = expectations(NO_EXPECTATIONS);
    let _ = expectations.queries(&web, &mut batch);
    let once = batch.len();
    let _ = expectations.queries(&web, &mut batch);
    assert_eq!(batch.len(), once);
}

#[test]
fn every_form_of_a_reference_has_the_same_name() {
    let resources = architecture(&[
        ("WebRole", role(&json!([]))),
        ("Key", json!({"Type": "AWS::KMS::Key", "Properties": {}})),
    ]);
    let given = BTreeMap::from([("identity/Key".to_owned(), "k-1".to_owned())]);
    let names = super::names::Names::new(&resources, &given);
    let value = json!([
        {"Ref": "WebRole"},
        {"Fn::GetAtt": ["WebRole", "Arn"]},
        {"Fn::Sub": "${Key.Arn}/${!aws:userid}"},
    ]);
    assert_eq!(
        names.resolve(&value).unwrap(),
        json!([
            "web",
            "arn:aws:iam::111122223333:role/web",
            "arn:aws:kms:us-east-1:111122223333:key/k-1/${aws:userid}",
        ])
    );
}
