use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::PRODUCT;
use super::UNDERSTOOD;
use super::batch::Answers;
use super::batch::Batch;
use super::catalogue::Catalogue;
use crate::Architecture;
use crate::rules::Verdict;

fn architecture(resources: &[(&str, Value)]) -> Architecture {
    let whole = resources.iter().map(|(id, resource)| {
        let mut resource = resource.clone();
        resource["Metadata"] = json!({
            "Stack": "identity", "LogicalId": id, "Region": "us-east-1", "Account": "111122223333",
        });
        ((*id).to_owned(), resource)
    });
    Architecture::of(whole.collect::<Map<_, _>>())
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

fn catalogue(text: &str) -> Catalogue {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("iam.toml"), text).unwrap();
    Catalogue::read(folder.path()).unwrap()
}

const NOTHING: &str = "may = []\ncase = []\n[context]\n";

/// What is said when the simulator answers each question by what it asks about.
fn judged(text: &str, architecture: &Architecture, answer: fn(&Value) -> Value) -> Vec<Verdict> {
    let mut batch = Batch::default();
    let questions = catalogue(text).questions(architecture, &mut batch);
    let document = batch.document();
    let asked = document["questions"].as_array().unwrap().iter();
    let printed = Value::Array(asked.map(answer).collect()).to_string();
    let answers: Answers = batch.answers(printed.as_bytes()).unwrap();
    questions.judge(&answers)
}

fn nothing_wrong(question: &Value) -> Value {
    match question
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .as_str()
    {
        "check" => json!({"problems": []}),
        "all" => json!({"grants": []}),
        _ => json!({"allowed": false, "by": []}),
    }
}

fn against<'a>(verdicts: &'a [Verdict], rule: &str) -> &'a str {
    let found = verdicts.iter().find(|verdict| verdict.rule == rule);
    let found = found.unwrap_or_else(|| panic!("nothing is said of {rule}"));
    assert_eq!(found.passed, found.message.is_empty());
    &found.message
}

#[test]
fn a_policy_in_a_place_that_nothing_reads_is_noticed() {
    let queue = json!({"Type": "AWS::SQS::QueuePolicy", "Properties": {
        "Queues": ["q"], "PolicyDocument": allowing("sqs:*"),
    }});
    let verdicts = judged(NOTHING, &architecture(&[("Policy", queue)]), nothing_wrong);
    assert_eq!(
        against(&verdicts, UNDERSTOOD),
        "identity/Policy: nothing reads the policy in PolicyDocument"
    );
}

#[test]
fn a_policy_of_awss_own_cannot_be_proved() {
    let mut web = role(&json!([]));
    web["Properties"]["ManagedPolicyArns"] = json!(["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    let verdicts = judged(NOTHING, &architecture(&[("WebRole", web)]), nothing_wrong);
    assert!(against(&verdicts, UNDERSTOOD).contains("none of these templates"));
}

#[test]
fn a_reference_that_means_nothing_is_noticed() {
    let mut document = allowing("s3:*");
    document["Statement"]["Resource"] = json!({"Fn::GetAtt": ["Gone", "Arn"]});
    let web = role(&json!([{"PolicyName": "p", "PolicyDocument": document}]));
    let verdicts = judged(NOTHING, &architecture(&[("WebRole", web)]), nothing_wrong);
    assert!(against(&verdicts, UNDERSTOOD).contains("is not known"));
}

#[test]
fn what_is_not_listed_fails_and_what_is_listed_does_not() {
    let grants = |question: &Value| match nothing_wrong(question) {
        answer if answer.get("grants").is_some() => json!({"grants": [{
            "action": "s3:GetObject", "level": "Read", "on": "arn:aws:s3:::b/o", "by": ["All"],
        }]}),
        answer => answer,
    };
    let web = architecture(&[("WebRole", role(&json!([])))]);
    let verdicts = judged(NOTHING, &web, grants);
    assert_eq!(
        against(&verdicts, PRODUCT),
        "identity/WebRole may s3:GetObject on arn:aws:s3:::b/o (Read; All)"
    );
    let listed = r#"
        case = []
        context = {}
        may = [{ who = ["identity/WebRole"], actions = ["s3:Get*"], level = ["Read"], on = ["arn:aws:s3:::b/*"] }]
    "#;
    assert_eq!(against(&judged(listed, &web, grants), PRODUCT), "");
}

#[test]
fn a_case_about_something_that_is_not_there_fails() {
    let text = r#"
        may = []
        context = {}
        case = [{ rule = "r", who = ["identity/WebRole"], actions = ["kms:Decrypt"], on = ["keys/Gone"], expect = "denied" }]
    "#;
    let web = architecture(&[("WebRole", role(&json!([])))]);
    let verdicts = judged(text, &web, nothing_wrong);
    assert_eq!(against(&verdicts, "iam/r"), "there is no keys/Gone");
}

#[test]
fn an_answer_that_is_none_is_no_denial() {
    let text = r#"
        may = []
        context = {}
        case = [{ rule = "r", who = ["identity/WebRole"], actions = ["kms:Decrypt"], on = ["arn:aws:kms:us-east-1:111122223333:key/k"], expect = "denied" }]
    "#;
    let web = architecture(&[("WebRole", role(&json!([])))]);
    let silent = |question: &Value| match nothing_wrong(question) {
        answer if answer.get("allowed").is_some() => json!({"fault": "no such action"}),
        answer => answer,
    };
    assert!(against(&judged(text, &web, silent), "iam/r").contains("no such action"));
    assert_eq!(against(&judged(text, &web, nothing_wrong), "iam/r"), "");
}

#[test]
fn what_two_architectures_have_in_common_is_asked_once() {
    let web = architecture(&[("WebRole", role(&json!([])))]);
    let mut batch = Batch::default();
    let catalogue = catalogue(NOTHING);
    let _ = catalogue.questions(&web, &mut batch);
    let once = batch.len();
    let _ = catalogue.questions(&web, &mut batch);
    assert_eq!(batch.len(), once);
}

#[test]
fn names_are_the_same_in_every_form() {
    let resources = architecture(&[
        ("WebRole", role(&json!([]))),
        ("Key", json!({"Type": "AWS::KMS::Key", "Properties": {}})),
    ]);
    let given = BTreeMap::from([("identity/Key".to_owned(), "k-1".to_owned())]);
    let names = super::names::Names::of(&resources, &given);
    let said = json!([
        {"Ref": "WebRole"},
        {"Fn::GetAtt": ["WebRole", "Arn"]},
        {"Fn::Sub": "${Key.Arn}/${!aws:userid}"},
    ]);
    assert_eq!(
        names.resolve(&said).unwrap(),
        json!([
            "web",
            "arn:aws:iam::111122223333:role/web",
            "arn:aws:kms:us-east-1:111122223333:key/k-1/${aws:userid}",
        ])
    );
}
