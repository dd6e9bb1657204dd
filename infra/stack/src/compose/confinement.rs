//! The restrictions of every container, as the engine reports them and as the kernel enforces them.

use anyhow::Context;
use anyhow::ensure;
use serde_json::Value;
use serde_json::json;

use super::project::Project;

/// The containers that run for as long as the stack: a service, and which of its instances.
const RUNNING: [(&str, usize); 5] = [("web", 1), ("app", 1), ("app", 2), ("db", 1), ("kms", 1)];

/// Checks the containers of every service of the compose file.
pub(super) fn check(project: &Project) -> anyhow::Result<Vec<String>> {
    let mut containers = 0;
    for service in &project.services()? {
        for container in &project.inspect(service)? {
            is_confined(service, container)?;
            publishes_only_as_web(service, container)?;
            containers += 1;
        }
    }
    for (service, instance) in RUNNING {
        let kernel = "grep -q '^NoNewPrivs:.1$' /proc/1/status \
                      && grep -q '^CapEff:.0*$' /proc/1/status \
                      && grep -q '^CapBnd:.0*$' /proc/1/status \
                      && ! grep -q '^Uid:.0' /proc/1/status";
        ensure!(
            project.exec(service, instance, kernel)?,
            "{service} has privileges left, by /proc/1/status"
        );
        ensure!(
            !project.exec(
                service,
                instance,
                "echo x >/etc/hostname || echo x >/usr/local/bin/x"
            )?,
            "{service} can write to its root file system"
        );
    }
    Ok(vec![
        format!(
            "{containers} containers: no root user, no capability, no new privileges, read-only \
             root, limited memory and processes"
        ),
        "only web publishes ports".to_owned(),
    ])
}

fn is_confined(service: &str, container: &Value) -> anyhow::Result<()> {
    let at = |pointer: &str| container.pointer(pointer).cloned().unwrap_or_default();
    let user = at("/Config/User");
    let user = user
        .as_str()
        .and_then(|user| user.split(':').next())
        .unwrap_or_default();
    ensure!(!["", "0", "root"].contains(&user), "{service} runs as root");
    ensure!(
        at("/HostConfig/ReadonlyRootfs") == json!(true),
        "{service}'s root is writable"
    );
    ensure!(
        at("/HostConfig/CapDrop") == json!(["ALL"]),
        "{service} keeps capabilities"
    );
    ensure!(
        at("/HostConfig/Privileged") == json!(false),
        "{service} is privileged"
    );
    ensure!(
        at("/HostConfig/SecurityOpt") == json!(["no-new-privileges:true"]),
        "{service} may gain privileges"
    );
    for limit in ["/HostConfig/Memory", "/HostConfig/PidsLimit"] {
        ensure!(
            at(limit).as_i64().unwrap_or_default() > 0,
            "{service} has no {limit}"
        );
    }
    Ok(())
}

fn publishes_only_as_web(service: &str, container: &Value) -> anyhow::Result<()> {
    let ports = container
        .pointer("/HostConfig/PortBindings")
        .cloned()
        .unwrap_or_default();
    let published = ports.as_object().is_some_and(|ports| !ports.is_empty());
    ensure!(
        published == (service == "web"),
        "{service} publishes {ports}"
    );
    Ok(())
}

/// The tiers and their ports.
const TIERS: [(&str, u16); 4] = [("web", 8443), ("app", 9443), ("db", 3306), ("kms", 4566)];

/// Checks from inside a container of each tier, and from a client on the network `edge`, that it can
/// connect to the tiers that it needs and to no other, by name or by address.
pub(super) fn check_networks(project: &Project) -> anyhow::Result<Vec<String>> {
    let mut targets = Vec::new();
    for (tier, port) in TIERS {
        for address in addresses(project, tier)? {
            targets.push((tier, format!("{address}/{port}")));
        }
        targets.push((tier, format!("{tier}.internal/{port}")));
    }
    targets.push(("web", "web/8443".to_owned()));
    for from in TIERS.map(|(tier, _)| tier).into_iter().chain(["tests"]) {
        let reached = reached_from(project, from, &targets)?;
        // Both sides of a shared network can connect to each other.
        let neighbours: &[&str] = match from {
            "app" => &["web", "db", "kms"],
            "tests" => &["web"],
            _ => &["app"],
        };
        for tier in &reached {
            ensure!(
                neighbours.contains(&tier.as_str()),
                "{from} can connect to {tier}"
            );
        }
        let needed: &[&str] = match from {
            "web" => &["app"],
            "app" => &["db", "kms"],
            "tests" => &["web"],
            _ => &[],
        };
        for tier in needed {
            ensure!(
                reached.iter().any(|reached| reached == tier),
                "{from} cannot connect to {tier}"
            );
        }
    }
    for (network, is_routed) in project.networks()? {
        ensure!(
            network.ends_with("_edge") || !is_routed,
            "the network {network} is not internal"
        );
    }
    Ok(vec![
        "web can connect to app only, a client to web only, and to db and kms only app can"
            .to_owned(),
        "the networks of app, db and kms are internal".to_owned(),
    ])
}

/// The tiers to which a container can connect. All attempts run at once: each one whose packets are
/// dropped lasts until its timeout.
fn reached_from(
    project: &Project,
    from: &str,
    targets: &[(&str, String)],
) -> anyhow::Result<Vec<String>> {
    let attempts = targets
        .iter()
        .filter(|(tier, _)| *tier != from)
        .map(|(tier, target)| {
            format!("(timeout 2 bash -c 'exec 3<>/dev/tcp/{target}' 2>/dev/null && echo {tier}) &")
        });
    let script: Vec<String> = attempts.chain(["wait".to_owned()]).collect();
    let script = script.join("\n");
    let printed = if from == "tests" {
        project.run_tests(Some(&script))?
    } else {
        project.exec_output(from, &script)?
    };
    Ok(printed.lines().map(str::to_owned).collect())
}

/// The addresses of every instance of a service in all of its networks.
fn addresses(project: &Project, service: &str) -> anyhow::Result<Vec<String>> {
    let mut addresses = Vec::new();
    for container in project.inspect(service)? {
        let networks = container
            .pointer("/NetworkSettings/Networks")
            .and_then(Value::as_object)
            .with_context(|| format!("{service} is in no network"))?;
        let address = |network: &Value| network.get("IPAddress")?.as_str().map(str::to_owned);
        addresses.extend(
            networks
                .values()
                .filter_map(address)
                .filter(|address| !address.is_empty()),
        );
    }
    Ok(addresses)
}
