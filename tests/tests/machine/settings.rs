//! The settings of the templates as they reach a tier, without a deployment.

use std::collections::BTreeMap;
use std::fs;

use super::release::source;

/// Values for the parameters of the templates.
const PARAMETER_VALUES: [(&str, &str); 10] = [
    ("DomainName", "clinic.example"),
    ("TrustDomain", "example.internal"),
    ("Balancers", "10.0.0.0/24,10.0.1.0/24"),
    (
        "NetworkLoadBalancerDnsName",
        "app.elb.us-east-1.amazonaws.com",
    ),
    ("UnreadySeconds", "15"),
    ("DrainSeconds", "30"),
    ("EndpointAddress", "database.us-east-1.rds.amazonaws.com"),
    ("Port", "3306"),
    ("DatabaseName", "stack"),
    ("AWS::Region", "us-east-1"),
];

/// A CloudFormation template.
pub(crate) fn template(name: &str) -> String {
    let path = tools::workspace::root()
        .unwrap()
        .join("infra/aws/templates")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of `infra/aws/machine`.
pub(crate) fn machine(name: &str) -> String {
    fs::read_to_string(source().join(name)).unwrap()
}

/// The settings that a tier's user data writes into `install.env`, with values for parameters.
pub(crate) fn settings(tier: &str) -> BTreeMap<String, String> {
    let text = template(if tier == "web" {
        "web.yaml"
    } else {
        "app.yaml"
    });
    let own = format!("STACK_TIER={tier}");
    let mut parts = text
        .split("<<'END'\n")
        .skip(1)
        .map(|part| part.split("END\n").next().unwrap());
    let part = parts
        .find(|part| part.lines().any(|line| line.trim() == own))
        .unwrap();
    let lines = part.lines().filter_map(|line| line.trim().split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), with_values(value)))
        .collect()
}

fn with_values(value: &str) -> String {
    PARAMETER_VALUES
        .iter()
        .fold(value.to_owned(), |text, (name, value)| {
            text.replace(&format!("${{{name}}}"), value)
        })
}

/// The environment of a tier's program, as `install.sh` and the unit compose it.
pub(crate) fn environment(tier: &str) -> BTreeMap<String, String> {
    let text = machine(&format!("environment/{tier}.env"));
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='));
    let mut all: BTreeMap<String, String> = lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let wanted = copied_settings(tier);
    all.extend(settings(tier).into_iter().filter(|(name, _)| {
        wanted
            .iter()
            .any(|wanted| match wanted.strip_suffix("[A-Z0-9_]*") {
                Some(beginning) => name.starts_with(beginning),
                None => name == wanted,
            })
    }));
    all
}

/// The settings that `install.sh` copies from `install.env`.
fn copied_settings(tier: &str) -> Vec<String> {
    let text = machine("install.sh");
    let part = text.split(&format!("\n{tier})\n")).nth(1).unwrap();
    let line = part
        .lines()
        .find_map(|line| line.trim().strip_prefix("variables='"))
        .unwrap();
    line.trim_end_matches('\'')
        .split('|')
        .map(str::to_owned)
        .collect()
}
