//! `slowhttptest`: clients that hold a connection by being slow.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use tempfile::TempDir;
use tokio::process::Command;

use progress::Progress;
use tools::packages;

/// Interval between reads of the kernel's connection table.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The phase in which a client is slow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Slow {
    /// The head of a request: a line every five seconds (Slowloris).
    Head,
    /// The body of a request: a few bytes every five seconds (R-U-Dead-Yet).
    Body,
    /// The reading of responses: a few bytes every five seconds, through a small window.
    Reading,
}

/// A slow-client attack by slowhttptest.
#[derive(Clone, Debug)]
pub struct Attack {
    /// The phase in which the clients are slow.
    pub phase: Slow,
    /// The number of clients, all of which connect within about two seconds.
    pub connections: u32,
    /// The duration of the attack, in seconds.
    pub seconds: u32,
    /// The URL that the clients request: `https://localhost:8443/sign-in`.
    pub address: String,
    /// The port of [`Attack::address`].
    pub port: u16,
}

/// The result of an attack.
#[derive(Clone, Debug)]
pub struct AttackResult {
    /// The number of connections that the tool reports as opened.
    pub opened: u32,
    /// The number of connections still open at the last line of the tool's report.
    pub open: u32,
    /// The second at which the tool reports that no connection was left; `None` if one was left at the end.
    pub all_closed_after: Option<u32>,
    /// The number of connections at the server's port in the kernel's connection table.
    pub seen: u32,
    /// The longest time that one of them was in that table, open or with data left to send.
    pub longest: Duration,
    /// The last lines of the tool's output.
    pub last_lines: String,
}

impl Attack {
    /// Runs the attack and records its connections. The attackers' address is 127.0.0.1: a healthy client
    /// needs another one.
    ///
    /// # Errors
    /// When the tool cannot be installed, or writes no report.
    pub async fn run(&self) -> anyhow::Result<AttackResult> {
        let folder = tempfile::tempdir().context("the folder of the report cannot be made")?;
        let mut tool = self.command(&folder)?;
        let mut running = tool.spawn().context("slowhttptest cannot be started")?;
        let mut output = running
            .stdout
            .take()
            .context("slowhttptest has no output")?;
        let mut output_bytes = Vec::new();
        let mut seen: BTreeMap<u16, (Instant, Instant)> = BTreeMap::new();
        {
            let reading = tokio::io::AsyncReadExt::read_to_end(&mut output, &mut output_bytes);
            tokio::pin!(reading);
            loop {
                let now = Instant::now();
                for port in connections_of(self.port, Ipv4Addr::LOCALHOST)? {
                    seen.entry(port).or_insert((now, now)).1 = now;
                }
                if let Ok(read) = tokio::time::timeout(POLL_INTERVAL, &mut reading).await {
                    read.context("the output of slowhttptest cannot be read")?;
                    break;
                }
            }
        }
        let status = running.wait().await.context("slowhttptest does not end")?;
        let last_lines = last_lines_of(&output_bytes);
        let report = fs::read_to_string(folder.path().join("slow.csv"))
            .with_context(|| format!("slowhttptest wrote no report ({status}): {last_lines}"))?;
        let lives = seen.values().map(|(first, last)| *last - *first);
        let longest = lives.max().unwrap_or_default();
        let mut result = parse(&report, last_lines)?;
        result.seen = u32::try_from(seen.len()).context("there are too many connections")?;
        // A connection can open just after a poll and close just before one.
        result.longest = longest + POLL_INTERVAL * 2;
        Ok(result)
    }

    fn command(&self, folder: &TempDir) -> anyhow::Result<Command> {
        let connections = self.connections.to_string();
        let rate = self.connections.div_ceil(2).to_string();
        let seconds = self.seconds.to_string();
        let mut command = Command::new(packages::program(
            "slowhttptest",
            &["slowhttptest"],
            Progress::hidden(),
        )?);
        command
            .current_dir(folder.path())
            .args(["-g", "-o", "slow", "-c", &connections, "-r", &rate])
            .args(["-l", &seconds, "-p", "5", "-u", &self.address])
            .args(match self.phase {
                Slow::Head => ["-H", "-i", "5", "-x", "24"].as_slice(),
                Slow::Body => &["-B", "-i", "5", "-x", "10", "-s", "8192", "-t", "POST"],
                Slow::Reading => &[
                    "-X", "-n", "5", "-z", "32", "-w", "512", "-y", "1024", "-k", "3",
                ],
            })
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }
}

/// The ports of the peers of one address that are connected to a port of the loopback interface, as the
/// server's side of the kernel sees it: connections that are being made, are open, or have something
/// left to send.
///
/// # Errors
/// When `/proc/net/tcp` cannot be read.
fn connections_of(port: u16, peer: Ipv4Addr) -> anyhow::Result<Vec<u16>> {
    let table = fs::read_to_string("/proc/net/tcp").context("/proc/net/tcp cannot be read")?;
    let peer = u32::from_le_bytes(peer.octets());
    let connection = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (remote, remote_port) = remote.split_once(':')?;
        let (_, local) = local.split_once(':')?;
        // SYN_RECV, ESTABLISHED, FIN_WAIT1, CLOSE_WAIT, LAST_ACK, CLOSING.
        let held = ["03", "01", "04", "08", "09", "0B"].contains(&state);
        let ours = u16::from_str_radix(local, 16).ok()? == port
            && u32::from_str_radix(remote, 16).ok()? == peer;
        (held && ours).then(|| u16::from_str_radix(remote_port, 16).ok())?
    };
    Ok(table.lines().skip(1).filter_map(connection).collect())
}

/// Parses the tool's report, a line per second, `Seconds,Closed,Pending,Connected,Service Available`,
/// and the last lines of its output. The report ends a second before the tool does.
fn parse(report: &str, last_lines: String) -> anyhow::Result<AttackResult> {
    let (mut opened, mut open) = (0, 0);
    for line in report.lines().skip(1) {
        let numbers: Result<Vec<u32>, _> = line.split(',').map(|n| n.trim().parse()).collect();
        let Ok([_, closed, pending, connected, ..]) = numbers.as_deref() else {
            bail!("slowhttptest's report has the line {line:?}");
        };
        open = pending + connected;
        opened = opened.max(closed + open);
    }
    let ended = last_lines
        .split_once("Test ended on ")
        .map(|(_, rest)| rest);
    let second = ended.and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    let second: u32 = second.with_context(|| format!("slowhttptest failed: {last_lines}"))?;
    Ok(AttackResult {
        opened,
        open,
        all_closed_after: last_lines
            .contains("No open connections left")
            .then_some(second),
        seen: 0,
        longest: Duration::ZERO,
        last_lines,
    })
}

/// The last lines of the output, without colours.
fn last_lines_of(output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    let lines = output.lines().filter_map(|line| {
        let plain: Vec<&str> = line.split('\u{1b}').collect();
        let words = plain.into_iter().enumerate().map(|(at, part)| {
            let colour = part.split_once('m').map_or(part, |(_, rest)| rest);
            if at == 0 { part } else { colour }
        });
        let words = words.collect::<String>().trim().to_owned();
        (!words.is_empty()).then_some(words)
    });
    let lines: Vec<String> = lines.collect();
    let skipped = lines.len().saturating_sub(4);
    lines.split_at(skipped).1.join("; ")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_is_seen_from_the_servers_side_until_it_is_closed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let peers = || connections_of(port, Ipv4Addr::LOCALHOST).unwrap();
        assert!(peers().is_empty());
        let client = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let server = listener.accept().unwrap();
        assert_eq!(peers(), [client.local_addr().unwrap().port()]);
        drop(client);
        drop(server);
        assert!(peers().is_empty());
    }

    #[test]
    fn a_report_shows_whether_a_connection_was_left() {
        let report = "Seconds,Closed,Pending,Connected,Service Available\n0,0,1,0,9\n7,4,0,5,9\n";
        let none = "Test ended on 8th second; Exit status: No open connections left";
        let result = parse(report, none.to_owned()).unwrap();
        assert_eq!((result.opened, result.open), (9, 5));
        assert_eq!(result.all_closed_after, Some(8));
        let some = "Test ended on 31th second; Exit status: Hit test time limit";
        assert_eq!(
            parse(report, some.to_owned()).unwrap().all_closed_after,
            None
        );
        assert!(parse(report, "Unable to resolve".to_owned()).is_err());
    }

    #[test]
    fn colours_are_removed_from_the_output() {
        let output = "\u{1b}[1;32mclosed:\u{1b}[0m  5\n\n\u{1b}[0mthe end\n";
        assert_eq!(last_lines_of(output.as_bytes()), "closed:  5; the end");
    }
}
