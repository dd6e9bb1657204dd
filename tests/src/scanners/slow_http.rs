//! `slowhttptest`: clients that hold a connection by being slow.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::io;
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

/// Number of reads, one after the other, without a connection, after which the attack is over: five
/// seconds.
const POLLS_WITHOUT_CONNECTION: u32 = 20;

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
    /// The number of clients, all of which connect within about two seconds if the machine is fast
    /// enough.
    pub connections: u32,
    /// The longest duration of the attack, in seconds.
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
    /// The number of connections that were found in the kernel's connection table. It includes those
    /// by which the tool probes the server, and lacks those that end between two reads.
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
        let process = running.id().context("slowhttptest has ended")?;
        let mut output_bytes = Vec::new();
        let reading = tokio::io::AsyncReadExt::read_to_end(&mut output, &mut output_bytes);
        let seen = self.observe(process, reading).await?;
        let status = running.wait().await.context("slowhttptest does not end")?;
        let last_lines = last_lines_of(&output_bytes);
        let report = fs::read_to_string(folder.path().join("slow.csv"))
            .with_context(|| format!("slowhttptest wrote no report ({status}): {last_lines}"))?;
        let mut result = parse(&report, last_lines)?;
        result.seen = u32::try_from(seen.count()).context("there are too many connections")?;
        // A connection can open just after a poll and close just before one.
        result.longest = seen.longest() + POLL_INTERVAL * 2;
        Ok(result)
    }

    /// Records the connections until the tool, of which this is the process id and the output, ends.
    async fn observe(
        &self,
        process: u32,
        output: impl Future<Output = io::Result<usize>>,
    ) -> anyhow::Result<Lives> {
        let mut seen = Lives::default();
        let mut polls_without = 0;
        tokio::pin!(output);
        loop {
            let open = connections_of(self.port, Ipv4Addr::LOCALHOST)?;
            seen.record(&open, Instant::now());
            let none_left = open.is_empty() && seen.count() > 0;
            polls_without = if none_left { polls_without + 1 } else { 0 };
            // With TLS a slow reader continues to read the record that it has received, and does
            // not notice the end of its connection: the tool does not end by itself.
            if self.phase == Slow::Reading && polls_without == POLLS_WITHOUT_CONNECTION {
                let process = process.to_string();
                let kill = Command::new("kill").args(["-INT", &process]).status();
                kill.await.context("slowhttptest cannot be interrupted")?;
            }
            if let Ok(read) = tokio::time::timeout(POLL_INTERVAL, &mut output).await {
                read.context("the output of slowhttptest cannot be read")?;
                return Ok(seen);
            }
        }
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

/// The server's side of a connection in the kernel's table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Connection {
    /// The client's port, which the kernel gives to another connection once this one has ended.
    client_port: u16,
    /// The number of the server's socket: 0 before it is accepted, and after it is closed.
    inode: u64,
}

/// The time for which a connection was in the table.
struct Life {
    inode: u64,
    first: Instant,
    last: Instant,
}

/// The lives of all connections.
#[derive(Default)]
struct Lives {
    /// By client port, one after the other.
    of_port: BTreeMap<u16, Vec<Life>>,
    last_poll: Option<Instant>,
}

impl Lives {
    /// Records the connections in the table at the time of a poll.
    fn record(&mut self, open: &[Connection], now: Instant) {
        let last_poll = self.last_poll.replace(now);
        for Connection { client_port, inode } in open {
            let lives = self.of_port.entry(*client_port).or_default();
            match lives.last_mut() {
                Some(life) if life.continues(*inode, last_poll) => {
                    life.inode = life.inode.max(*inode);
                    life.last = now;
                }
                _ => lives.push(Life {
                    inode: *inode,
                    first: now,
                    last: now,
                }),
            }
        }
    }

    fn count(&self) -> usize {
        self.of_port.values().map(Vec::len).sum()
    }

    fn longest(&self) -> Duration {
        let lives = self.of_port.values().flatten();
        let longest = lives.map(|life| life.last - life.first).max();
        longest.unwrap_or_default()
    }
}

impl Life {
    /// Whether a later entry of the table, with the same client port, is of the same connection.
    fn continues(&self, inode: u64, last_poll: Option<Instant>) -> bool {
        if self.inode != 0 && inode != 0 {
            return self.inode == inode;
        }
        Some(self.last) == last_poll
    }
}

/// The connections of the clients at one address with a port of the loopback interface, as the
/// server's side of the kernel sees them: they are being made, are open, or have something left to
/// send.
///
/// # Errors
/// When `/proc/net/tcp` cannot be read.
fn connections_of(port: u16, peer: Ipv4Addr) -> anyhow::Result<Vec<Connection>> {
    let table = fs::read_to_string("/proc/net/tcp").context("/proc/net/tcp cannot be read")?;
    let peer = u32::from_le_bytes(peer.octets());
    let connection = |line: &str| -> Option<Connection> {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (remote, remote_port) = remote.split_once(':')?;
        let (_, local) = local.split_once(':')?;
        // SYN_RECV, ESTABLISHED, FIN_WAIT1, CLOSE_WAIT, LAST_ACK, CLOSING.
        let held = ["03", "01", "04", "08", "09", "0B"].contains(&state);
        let ours = u16::from_str_radix(local, 16).ok()? == port
            && u32::from_str_radix(remote, 16).ok()? == peer;
        // After the state: queues, timer, retransmissions, user, timeout.
        let inode = fields.nth(5)?.parse().ok()?;
        let client_port = u16::from_str_radix(remote_port, 16).ok()?;
        (held && ours).then_some(Connection { client_port, inode })
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
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_connection_is_seen_from_the_servers_side_until_it_is_closed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = || connections_of(port, Ipv4Addr::LOCALHOST).unwrap();
        assert!(open().is_empty());
        let client = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let client_port = client.local_addr().unwrap().port();
        assert_eq!(
            open(),
            [Connection {
                client_port,
                inode: 0
            }]
        );
        let (server, _) = listener.accept().unwrap();
        let inode = std::fs::metadata(format!("/proc/self/fd/{}", server.as_raw_fd()));
        let inode = inode.unwrap().ino();
        assert_eq!(open(), [Connection { client_port, inode }]);
        drop(client);
        drop(server);
        assert!(open().is_empty());
    }

    #[test]
    fn connections_that_use_a_port_one_after_the_other_have_separate_lives() {
        let begun = Instant::now();
        let lives = |inodes: &[&[u64]]| {
            let mut lives = Lives::default();
            for (at, inodes) in (0..).zip(inodes) {
                let open = inodes.iter().map(|inode| Connection {
                    client_port: 40_000,
                    inode: *inode,
                });
                let other = Connection {
                    client_port: 40_001,
                    inode: 9,
                };
                let open: Vec<_> = open.chain([other]).collect();
                lives.record(&open, begun + Duration::from_secs(at));
            }
            let lives = lives.of_port.remove(&40_000).unwrap();
            let seconds = lives.iter().map(|life| (life.last - life.first).as_secs());
            seconds.collect::<Vec<_>>()
        };
        // From the handshake to the last byte that is sent after the close.
        assert_eq!(lives(&[&[0], &[7], &[7], &[0]]), [3]);
        // Missed by one poll.
        assert_eq!(lives(&[&[7], &[], &[7]]), [2]);
        // Another socket, with and without a poll between them, and before it is accepted.
        assert_eq!(lives(&[&[7], &[7], &[8], &[8]]), [1, 1]);
        assert_eq!(lives(&[&[7], &[7], &[], &[8]]), [1, 0]);
        assert_eq!(lives(&[&[7], &[0], &[], &[0], &[8]]), [1, 1]);
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
