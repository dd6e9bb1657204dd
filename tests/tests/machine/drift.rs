//! Drift between templates, units, agents and code: what is stated twice is stated consistently.

use std::fs;

use super::release::source;
use super::settings::environment;
use super::settings::machine;
use super::settings::settings;
use super::settings::template;

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
    let root = tools::workspace::root().unwrap();
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
