//! What every container is held to, as the engine reports it and as the kernel enforces it.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

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

/// From inside of each tier's container: what it needs can be reached, everything else can't, by
/// name or by address.
pub(super) fn check_networks(project: &Project) -> anyhow::Result<Vec<String>> {
    const PORTS: [(&str, u16); 4] = [("web", 8443), ("app", 9443), ("db", 3306), ("kms", 4566)];
    let allowed = [
        ("web", "app"),
        ("app", "web"),
        ("app", "db"),
        ("app", "kms"),
        ("db", "app"),
    ];
    let allowed =
        |from: &str, to: &str| allowed.contains(&(from, to)) || (from, to) == ("kms", "app");
    for (from, _) in PORTS {
        for (to, port) in PORTS.into_iter().filter(|(to, _)| *to != from) {
            for address in addresses(project, to)? {
                let script = format!("exec 3<>/dev/tcp/{address}/{port}");
                let reached = project.exec(from, &format!("timeout 1 bash -c '{script}'"))?;
                ensure!(
                    !reached || allowed(from, to),
                    "{from} reaches {to} at {address}:{port}"
                );
            }
        }
    }
    for (from, to, port) in [
        ("web", "app", 9443),
        ("app", "db", 3306),
        ("app", "kms", 4566),
    ] {
        let script = format!("timeout 2 bash -c 'exec 3<>/dev/tcp/{to}.internal/{port}'");
        ensure!(
            project.exec(from, &script)?,
            "{from} does not reach {to}.internal"
        );
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
