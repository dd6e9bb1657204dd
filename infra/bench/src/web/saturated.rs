//! The highest rate of a proxy: `h2load` sends the next request as soon as the last response has arrived.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use load::Protocol;

use super::PATH;
use super::running::Running;
use crate::pin;

/// Requests that fill caches and pools, and give the rate from which the number of measured requests follows.
const WARM_UP: u32 = 4000;

/// The result of a load.
pub(super) struct Saturated {
    /// Requests per second.
    pub(super) rate: f64,
    /// CPU time per request in microseconds.
    pub(super) micros: f64,
    /// The percentage of its core that the proxy had.
    pub(super) busy: f64,
}

/// Sends about as many requests as the proxy can serve in `length`.
pub(super) async fn run(
    one: &Running,
    protocol: Protocol,
    length: Duration,
) -> anyhow::Result<Saturated> {
    let port = one.proxy.port;
    let rate = requests(port, protocol, WARM_UP).await?;
    let amount = whole(rate * length.as_secs_f64()).clamp(WARM_UP, 10_000_000);
    let (rate, cpu) = one.load(requests(port, protocol, amount)).await?;
    let seconds = f64::from(amount) / rate;
    Ok(Saturated {
        rate,
        micros: cpu.as_secs_f64() * 1e6 / f64::from(amount),
        busy: cpu.as_secs_f64() * 100.0 / seconds,
    })
}

/// The rate at which `amount` requests were served, in requests per second.
async fn requests(port: u16, protocol: Protocol, amount: u32) -> anyhow::Result<f64> {
    let (connections, streams) = protocol.shape();
    let mut command = tokio::process::Command::from(pin::command(pin::LOAD));
    command
        .arg("h2load")
        .args(["--tls13-ciphers", "TLS_AES_128_GCM_SHA256"])
        .args(["--groups", "X25519"])
        .args(["--clients", &connections.to_string()])
        .args(["--max-concurrent-streams", &streams.to_string()])
        .args(["--requests", &amount.to_string()]);
    if protocol == Protocol::Http1 {
        command.arg("--h1");
    }
    let output = command
        .arg(format!("https://localhost:{port}{PATH}"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("h2load cannot be started")?;
    let output_text = String::from_utf8_lossy(&output.stdout).into_owned();
    let successful = number(&output_text, "status codes: ", " 2xx");
    if successful.map(whole) != Some(amount) {
        bail!("not all of {amount} requests were successful:\n{output_text}");
    }
    number(&output_text, ", ", " req/s").context("h2load prints no rate")
}

/// The number before `after`, which stands after `before`.
fn number(text: &str, before: &str, after: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains(after))?;
    let (start, _) = line.split_once(after)?;
    let (_, number) = start.rsplit_once(before)?;
    number.trim().parse().ok()
}

/// The whole number of a count.
fn whole(count: f64) -> u32 {
    format!("{:.0}", count.max(0.0)).parse().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_h2load_are_understood() {
        let output_text = "finished in 762.84ms, 26217.96 req/s, 29.63MB/s\n\
                    requests: 20000 total, 20000 started, 20000 done\n\
                    status codes: 19999 2xx, 0 3xx, 1 4xx, 0 5xx\n";
        assert_eq!(number(output_text, ", ", " req/s"), Some(26217.96));
        assert_eq!(
            number(output_text, "status codes: ", " 2xx").map(whole),
            Some(19999)
        );
        assert_eq!(number("nothing", ", ", " req/s"), None);
    }
}
