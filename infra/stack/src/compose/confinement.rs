//! What every container is held to, as the engine reports it and as the kernel enforces it.

use anyhow::Context;
use anyhow::ensure;
use serde_json::Value;
use serde_json::json;

use super::project::Project;

/// Looks at every service of the compose file.
pub(super) fn check(project: &Project) -> anyhow::Result<Vec<String>> {
    let services = project.services()?;
    for service in &services {
        let container = project.inspect(service)?;
        is_confined(service, &container)?;
        publishes_only_as_web(service, &container)?;
    }
    for service in ["web", "app", "db", "kms"] {
        let kernel = "grep -q '^NoNewPrivs:.1$' /proc/1/status \
                      && grep -q '^CapEff:.0*$' /proc/1/status \
                      && grep -q '^CapBnd:.0*$' /proc/1/status \
                      && ! grep -q '^Uid:.0' /proc/1/status";
        ensure!(
            project.exec(service, kernel)?,
            "{service} has privileges left, the kernel says"
        );
        ensure!(
            !project.exec(service, "echo x >/etc/hostname || echo x >/usr/local/bin/x")?,
            "{service} can write to its root file system"
        );
    }
    Ok(vec![
        format!(
            "{} containers: no root user, no capability, no new privileges, read-only root, \
             limited memory and processes",
            services.len()
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

/// The tiers and where they listen.
const TIERS: [(&str, u16); 4] = [("web", 8443), ("app", 9443), ("db", 3306), ("kms", 4566)];

/// From inside of each tier's container: what it needs can be reached, everything else can't, by
/// name or by address.
pub(super) fn check_networks(project: &Project) -> anyhow::Result<Vec<String>> {
    let mut doors = Vec::new();
    for (tier, port) in TIERS {
        for address in addresses(project, tier)? {
            doors.push((tier, format!("{address}/{port}")));
        }
        doors.push((tier, format!("{tier}.internal/{port}")));
    }
    for (from, _) in TIERS {
        let reached = reached_from(project, from, &doors)?;
        // Within a shared network both sides see each other; what matters is who shares one.
        let neighbours: &[&str] = if from == "app" {
            &["web", "db", "kms"]
        } else {
            &["app"]
        };
        for tier in &reached {
            ensure!(neighbours.contains(&tier.as_str()), "{from} reaches {tier}");
        }
        let needed: &[&str] = match from {
            "web" => &["app"],
            "app" => &["db", "kms"],
            _ => &[],
        };
        for tier in needed {
            ensure!(
                reached.iter().any(|reached| reached == tier),
                "{from} can't reach {tier}"
            );
        }
    }
    for (network, way_out) in project.networks()? {
        ensure!(
            network.ends_with("_edge") || !way_out,
            "the network {network} has a way out"
        );
    }
    Ok(vec![
        "web reaches app and nothing else; db and kms are reached by app only".to_owned(),
        "the networks of app, db and kms are closed to the outside".to_owned(),
    ])
}

/// The tiers of which some door opens to a container. All are tried at once: what is dropped on the
/// way costs its time limit.
fn reached_from(
    project: &Project,
    from: &str,
    doors: &[(&str, String)],
) -> anyhow::Result<Vec<String>> {
    let attempts = doors
        .iter()
        .filter(|(tier, _)| *tier != from)
        .map(|(tier, door)| {
            format!("(timeout 2 bash -c 'exec 3<>/dev/tcp/{door}' 2>/dev/null && echo {tier}) &")
        });
    let script: Vec<String> = attempts.chain(["wait".to_owned()]).collect();
    let printed = project.exec_output(from, &script.join("\n"))?;
    Ok(printed.lines().map(str::to_owned).collect())
}

/// The addresses of a service in all of its networks.
fn addresses(project: &Project, service: &str) -> anyhow::Result<Vec<String>> {
    let container = project.inspect(service)?;
    let networks = container
        .pointer("/NetworkSettings/Networks")
        .and_then(Value::as_object)
        .with_context(|| format!("{service} is in no network"))?;
    let address = |network: &Value| network.get("IPAddress")?.as_str().map(str::to_owned);
    Ok(networks
        .values()
        .filter_map(address)
        .filter(|address| !address.is_empty())
        .collect())
}
