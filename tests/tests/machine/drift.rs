//! Drift between the templates and the programs, units and scripts: each setting is understood, and
//! stated consistently.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use tempfile::TempDir;

use super::release::source;

/// Values for the parameters of the templates.
const VALUES: [(&str, &str); 10] = [
    ("DomainName", "clinic.example"),
    ("TrustDomain", "stack.internal"),
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

pub(crate) fn template(name: &str) -> String {
    let path = stack::workspace_root()
        .unwrap()
        .join("infra/aws/templates")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn machine(name: &str) -> String {
    fs::read_to_string(source().join(name)).unwrap()
}

/// The settings that a tier's user data writes into `install.env`, with values for parameters.
fn settings(tier: &str) -> BTreeMap<String, String> {
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
    VALUES.iter().fold(value.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value)
    })
}

/// The environment of a tier's program, as `install.sh` and the unit compose it.
fn environment(tier: &str) -> BTreeMap<String, String> {
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

/// Runs a program's `check` with only these variables. The files that they name are created.
fn check(program: &str, mut variables: BTreeMap<String, String>) -> Output {
    let folder = TempDir::new().unwrap();
    for (number, value) in variables.values_mut().enumerate() {
        if value.starts_with('/') {
            let file: PathBuf = folder.path().join(number.to_string());
            fs::write(&file, "x").unwrap();
            *value = file.display().to_string();
        }
    }
    Command::new(tests::program(program).unwrap())
        .arg("check")
        .env_clear()
        .envs(variables)
        .output()
        .unwrap()
}

/// Asserts that a program accepts these variables, that it names each of `required` when it is
/// missing, and that it refuses the variable `unknown`.
fn assert_accepted(
    program: &str,
    variables: &BTreeMap<String, String>,
    required: &[&str],
    unknown: &str,
) {
    let outcome = check(program, variables.clone());
    assert!(
        outcome.status.success(),
        "{}",
        String::from_utf8_lossy(&outcome.stderr)
    );
    for name in required {
        let mut fewer = variables.clone();
        assert!(fewer.remove(*name).is_some(), "{name} is not set");
        let outcome = check(program, fewer);
        assert_eq!(
            outcome.status.code(),
            Some(64),
            "{program} accepts a missing {name}"
        );
        assert!(String::from_utf8_lossy(&outcome.stderr).contains(name));
    }
    let mut more = variables.clone();
    more.insert(unknown.to_owned(), "1".to_owned());
    assert_eq!(check(program, more).status.code(), Some(64));
}

#[test]
fn web_accepts_the_settings_of_its_machine_and_requires_each() {
    let required = [
        "WEB_LISTEN",
        "WEB_REDIRECT_LISTEN",
        "WEB_PUBLIC_ORIGIN",
        "WEB_TLS_CERTIFICATE_FILE",
        "WEB_TLS_KEY_FILE",
        "WEB_UPSTREAMS",
        "WEB_UPSTREAM_NAME",
        "WEB_UPSTREAM_IDENTITY",
        "WEB_UPSTREAM_CA_FILE",
        "WEB_UPSTREAM_CERTIFICATE_FILE",
        "WEB_UPSTREAM_KEY_FILE",
    ];
    let variables = environment("web");
    assert_accepted("web", &variables, &required, "WEB_BALANCER");
    assert!(
        !variables["WEB_BALANCERS"].is_empty() && !variables.contains_key("WEB_PROXY_PROTOCOL")
    );
}

#[test]
fn app_accepts_the_settings_of_its_machine_and_requires_each() {
    let mut variables = environment("app");
    assert!(
        !variables.keys().any(|name| name.starts_with("KMS_")),
        "root keys are found on the machine"
    );
    for line in machine("secrets.sh")
        .split('"')
        .filter(|part| part.starts_with("KMS_"))
    {
        let name = line.split('=').next().unwrap();
        variables.insert(
            name.to_owned(),
            "0f0e0d0c-0b0a-4908-8706-050403020100".to_owned(),
        );
    }
    let unit = machine("units/app.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("Environment="))
        .unwrap();
    let (name, value) = line.split_once('=').unwrap();
    variables.insert(
        name.to_owned(),
        value.replace("%d", "/run/credentials/app.service"),
    );
    let required = [
        "APP_LISTEN",
        "APP_PUBLIC_ORIGIN",
        "APP_TLS_CERTIFICATE_FILE",
        "APP_TLS_KEY_FILE",
        "APP_TLS_CLIENT_CA_FILE",
        "APP_TLS_CLIENT_IDENTITY",
        "DATABASE_HOST",
        "DATABASE_CA_FILE",
        "KEY_SERVICE",
        "KMS_KEY_ID",
        "KMS_MAC_KEY_ID",
        "AWS_REGION",
    ];
    assert_accepted("app", &variables, &required, "KMS_FORMER_KEYS");
    assert!(
        variables.contains_key("KMS_FORMER_KEY_IDS")
            && variables.contains_key("DATABASE_PASSWORD_FILE")
    );
    assert_eq!(variables["KEY_SERVICE"], "aws-kms");
}

#[test]
fn every_setting_of_a_machine_is_used_and_every_used_one_is_set() {
    let used = |script: &str| -> BTreeSet<String> {
        let words = machine(script);
        let words = words
            .split(|letter: char| !(letter.is_ascii_uppercase() || letter == '_'))
            .map(str::to_owned);
        words.filter(|word| word.starts_with("STACK_")).collect()
    };
    let scripts = [
        ("web", vec!["certificates.sh"]),
        ("app", vec!["certificates.sh", "secrets.sh"]),
        ("migration", vec!["secrets.sh"]),
    ];
    for (tier, scripts) in scripts {
        let mut wanted = used("install.sh");
        wanted.extend(scripts.into_iter().flat_map(used));
        if tier == "app" {
            wanted.remove("STACK_DATABASE_MASTER_SECRET");
        }
        // For operators who look at the machine.
        wanted.insert("STACK_RELEASE".to_owned());
        wanted.insert("STACK_PROJECT".to_owned());
        wanted.insert("STACK_ENVIRONMENT".to_owned());
        let set: BTreeSet<String> = settings(tier)
            .into_keys()
            .filter(|name| name.starts_with("STACK_"))
            .collect();
        assert_eq!(set, wanted, "{tier}");
    }
}

#[test]
fn ports_and_paths_are_consistent() {
    let web = environment("web");
    let https = machine("units/web-https.socket");
    assert!(https.contains(&format!("ListenStream={}\n", web["WEB_LISTEN"])));
    let http = machine("units/web-http.socket");
    assert!(http.contains(&format!("ListenStream={}\n", web["WEB_REDIRECT_LISTEN"])));
    assert!(
        machine("agent/prometheus.yaml").contains(&format!("\"{}\"", web["WEB_METRICS_LISTEN"]))
    );
    for tier in ["web", "app"] {
        let collector = environment(tier)["OTEL_EXPORTER_OTLP_ENDPOINT"].clone();
        let agent = machine(&format!("agent/{tier}.json"));
        let endpoint = collector.strip_prefix("http://").unwrap();
        assert!(
            agent.contains(&format!("\"http_endpoint\": \"{endpoint}\"")),
            "{tier}"
        );
    }
    let edge = template("edge.yaml");
    let port = |address: &str| address.rsplit(':').next().unwrap().to_owned();
    assert!(edge.contains(&format!("Port: {}\n", port(&web["WEB_LISTEN"]))));
    assert!(
        edge.contains("HealthCheckPath: /readyz\n")
            && edge.contains("HealthCheckProtocol: HTTPS\n")
    );
    let app = environment("app");
    assert_eq!(port(&app["APP_LISTEN"]), port(&web["WEB_UPSTREAMS"]));
    assert!(template("app.yaml").contains(&format!("Port: {}\n", port(&app["APP_LISTEN"]))));
    assert_eq!(
        web["WEB_UPSTREAM_IDENTITY"],
        settings("app")["STACK_IDENTITY"]
    );
    assert_eq!(web["WEB_UPSTREAM_NAME"], settings("app")["STACK_DNS_NAME"]);
    assert_eq!(
        app["APP_TLS_CLIENT_IDENTITY"],
        settings("web")["STACK_IDENTITY"]
    );
}

#[test]
fn units_wait_for_the_longest_shutdown_of_their_tier() {
    for (tier, parameters) in [
        ("web", vec!["UnreadySeconds", "DrainSeconds"]),
        ("app", vec!["DrainSeconds"]),
    ] {
        let text = template(&format!("{tier}.yaml"));
        let longest: u32 = parameters
            .iter()
            .map(|name| {
                let part = text.split(&format!("\n  {name}:\n")).nth(1).unwrap();
                part.lines()
                    .find_map(|line| line.trim().strip_prefix("MaxValue: "))
                    .unwrap()
                    .parse::<u32>()
                    .unwrap()
            })
            .sum();
        let unit = machine(&format!("units/{tier}.service"));
        let stop = unit
            .lines()
            .find_map(|line| line.strip_prefix("TimeoutStopSec="))
            .unwrap();
        assert!(
            stop.parse::<u32>().unwrap() > longest,
            "{tier}: {stop} s, and a shutdown may take {longest} s"
        );
    }
}

#[test]
fn log_groups_of_the_agents_exist_in_the_templates() {
    let logs = template("logs.yaml");
    for group in ["web", "app", "migration", "system"] {
        assert!(
            logs.contains(&format!("/${{Project}}/${{Environment}}/{group}\n")),
            "{group}"
        );
    }
    for tier in ["web", "app", "migration"] {
        let agent = machine(&format!("agent/{tier}.json"));
        let groups = agent
            .lines()
            .filter_map(|line| line.trim().strip_prefix("\"log_group_name\": \""));
        for group in groups.map(|rest| rest.split('"').next().unwrap()) {
            assert!(
                matches!(group, "@LOG_GROUP@" | "@SYSTEM_LOG_GROUP@"),
                "{tier}: {group}"
            );
        }
        assert_eq!(
            settings(tier)["STACK_METRIC_NAMESPACE"],
            "${Project}/${Environment}"
        );
    }
}

/// Older versions of the agent cannot read the journal and refuse this configuration.
#[test]
fn the_agent_of_every_environment_reads_the_journal() {
    for environment in ["dev", "prod"] {
        let parameters =
            fs::read_to_string(source().join(format!("../parameters/{environment}.toml"))).unwrap();
        let version = parameters
            .lines()
            .find_map(|line| line.strip_prefix("CloudWatchAgentVersion = \"1."));
        let version = version.unwrap().split('.').next().unwrap();
        assert!(
            version.parse::<u32>().unwrap() >= 300_070,
            "{environment}: 1.{version}"
        );
    }
}

#[test]
fn the_key_policy_requires_exactly_the_encryption_context_of_the_app() {
    let root = stack::workspace_root().unwrap();
    let source = fs::read_to_string(root.join("app/phi/src/key_service/aws.rs")).unwrap();
    let context = source.split("fn encryption_context(").nth(1).unwrap();
    let context = context.split(".map(").next().unwrap();
    let mut given: Vec<&str> = context
        .split("(\"")
        .skip(1)
        .map(|part| part.split('"').next().unwrap())
        .collect();
    given.sort_unstable();
    let keys = template("keys.yaml");
    let list = keys
        .split("\"kms:EncryptionContextKeys\": [")
        .nth(1)
        .unwrap();
    let demanded: Vec<&str> = list.split(']').next().unwrap().split(", ").collect();
    assert_eq!(demanded, given);
    for name in given {
        assert!(
            keys.contains(&format!("\"kms:EncryptionContext:{name}\":")),
            "{name}"
        );
    }
    assert!(context.contains("(\"purpose\", \"branch\".to_owned())"));
    assert!(keys.contains("\"kms:EncryptionContext:purpose\": branch\n"));
}
