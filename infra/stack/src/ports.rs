//! Ports of the loopback interface: whether they are free, and the process that holds one.

use std::fs;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;

/// Different ports on which no process listens at this moment.
///
/// # Errors
/// When the system has none to give.
pub fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        *port = listener
            .local_addr()
            .context("the listener has no address")?
            .port();
        held.push(listener);
    }
    Ok(ports)
}

/// Checks that a port is free.
///
/// # Errors
/// Names the port, the option that sets it, and the process that listens on it if `/proc` shows it.
pub(crate) fn check_free(port: u16, flag: &str, variable: &str) -> anyhow::Result<()> {
    let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
        return Ok(());
    };
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        bail!(
            "port {port} may not be bound by this user: choose one above 1023 with {flag} or {variable}"
        );
    }
    let holder = holder_of(port).map_or_else(String::new, |holder| format!(" by {holder}"));
    bail!(
        "port {port} is taken{holder}. Stop what has it, or choose another with {flag} PORT or \
         {variable}=PORT. (`cargo stack status` shows whether another stack runs.)"
    )
}

/// The process that listens on a port, as far as `/proc` shows it: to root every process, to others their own.
fn holder_of(port: u16) -> Option<String> {
    let inode = listening_inode(port)?;
    let wanted = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(pid) = name
            .to_str()
            .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        else {
            continue;
        };
        if owns_socket(&entry.path(), &wanted) {
            let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", command.trim()));
        }
    }
    None
}

fn owns_socket(process: &Path, wanted: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|target| target.as_os_str() == wanted)
}

fn listening_inode(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| {
            table.lines().skip(1).find_map(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
                let (_, hex) = local.rsplit_once(':')?;
                let listens = *state == "0A" && u16::from_str_radix(hex, 16).ok()? == port;
                listens.then(|| (*inode).to_owned())
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_flag_and_its_holder() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = check_free(port, "--web-port", "STACK_WEB_PORT")
            .unwrap_err()
            .to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        assert!(
            error.contains("--web-port") && error.contains("STACK_WEB_PORT"),
            "{error}"
        );
        assert!(
            error.contains(&format!("process {}", std::process::id())),
            "{error}"
        );
    }

    #[test]
    fn a_free_port_passes() {
        let [port] = free_ports().unwrap();
        check_free(port, "--web-port", "STACK_WEB_PORT").unwrap();
    }
}
