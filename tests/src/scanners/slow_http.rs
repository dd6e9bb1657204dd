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

/// How often the kernel is asked who is connected.
const LOOK: Duration = Duration::from_millis(250);

/// What is slow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Slow {
    /// The head of a request: a line every five seconds (Slowloris).
    Head,
    /// The body of a request: a few bytes every five seconds (R-U-Dead-Yet).
    Body,
    /// The reading of answers: a few bytes every five seconds, through a small window.
    Reading,
}

/// So many slow clients at once.
#[derive(Clone, Debug)]
pub struct Attack {
    /// What they are slow at.
    pub what: Slow,
    /// How many; as many as that come within about two seconds.
    pub connections: u32,
    /// For how long they try, in seconds.
    pub seconds: u32,
    /// Where an answer is to be had, or a form to be sent to: `https://localhost:8443/sign-in`.
    pub address: String,
    /// The port in it.
    pub port: u16,
}

/// What became of them.
#[derive(Clone, Debug)]
pub struct Held {
    /// How many connections the tool says it made.
    pub opened: u32,
    /// How many were still open when it made its last line.
    pub open: u32,
    /// In which second the tool says that none was left; nothing if one was left at the end.
    pub all_closed_after: Option<u32>,
    /// How many connections the kernel saw at the server's port.
    pub seen: u32,
    /// The longest time that it saw one of them there, open or with something left to send.
    pub longest: Duration,
    /// What the tool printed last.
    pub said: String,
}

impl Attack {
    /// Attacks, and watches. The attackers' address is 127.0.0.1: a client that is not one of them is
    /// told apart by another.
    ///
    /// # Errors
    /// When the tool cannot be had, or makes no report.
    pub async fn run(&self) -> anyhow::Result<Held> {
        let folder = tempfile::tempdir().context("no folder for a report")?;
        let mut tool = self.command(&folder)?;
        let mut running = tool.spawn().context("slowhttptest cannot be started")?;
        let mut output = running.stdout.take().context("slowhttptest says nothing")?;
        let mut said = Vec::new();
        let mut seen: BTreeMap<u16, (Instant, Instant)> = BTreeMap::new();
        {
            let reading = tokio::io::AsyncReadExt::read_to_end(&mut output, &mut said);
            tokio::pin!(reading);
            loop {
                let now = Instant::now();
                for port in connections_of(self.port, Ipv4Addr::LOCALHOST)? {
                    seen.entry(port).or_insert((now, now)).1 = now;
                }
                if let Ok(read) = tokio::time::timeout(LOOK, &mut reading).await {
                    read.context("slowhttptest cannot be heard")?;
                    break;
                }
            }
        }
        let status = running.wait().await.context("slowhttptest does not end")?;
        let said = last_words(&said);
        let report = fs::read_to_string(folder.path().join("slow.csv"))
            .with_context(|| format!("slowhttptest made no report ({status}): {said}"))?;
        let lives = seen.values().map(|(first, last)| *last - *first);
        let longest = lives.max().unwrap_or_default();
        let mut held = read(&report, said)?;
        held.seen = u32::try_from(seen.len()).context("too many to count")?;
        // It may have come just after a look, and gone just before one.
        held.longest = longest + LOOK * 2;
        Ok(held)
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
            .args(match self.what {
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
/// When `/proc` does not tell.
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

/// Reads the tool's report, a line a second, `Seconds,Closed,Pending,Connected,Service Available`, and
/// its last words. The report ends a second before the tool does.
fn read(report: &str, said: String) -> anyhow::Result<Held> {
    let (mut opened, mut open) = (0, 0);
    for line in report.lines().skip(1) {
        let numbers: Result<Vec<u32>, _> = line.split(',').map(|n| n.trim().parse()).collect();
        let Ok([_, closed, pending, connected, ..]) = numbers.as_deref() else {
            bail!("slowhttptest's report has the line {line:?}");
        };
        open = pending + connected;
        opened = opened.max(closed + open);
    }
    let ended = said.split_once("Test ended on ").map(|(_, rest)| rest);
    let second = ended.and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    let second: u32 = second.with_context(|| format!("slowhttptest did not end well: {said}"))?;
    Ok(Held {
        opened,
        open,
        all_closed_after: said.contains("No open connections left").then_some(second),
        seen: 0,
        longest: Duration::ZERO,
        said,
    })
}

/// The end of what was printed, without colours.
fn last_words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines = said.lines().filter_map(|line| {
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
    fn a_report_says_whether_a_connection_was_left() {
        let report = "Seconds,Closed,Pending,Connected,Service Available\n0,0,1,0,9\n7,4,0,5,9\n";
        let none = "Test ended on 8th second; Exit status: No open connections left";
        let held = read(report, none.to_owned()).unwrap();
        assert_eq!((held.opened, held.open), (9, 5));
        assert_eq!(held.all_closed_after, Some(8));
        let some = "Test ended on 31th second; Exit status: Hit test time limit";
        assert_eq!(
            read(report, some.to_owned()).unwrap().all_closed_after,
            None
        );
        assert!(read(report, "Unable to resolve".to_owned()).is_err());
    }

    #[test]
    fn what_is_printed_loses_its_colours() {
        let said = "\u{1b}[1;32mclosed:\u{1b}[0m  5\n\n\u{1b}[0mthe end\n";
        assert_eq!(last_words(said.as_bytes()), "closed:  5; the end");
    }
}
