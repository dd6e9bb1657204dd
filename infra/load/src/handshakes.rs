//! A load of connections with one request each.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use futures::future::try_join_all;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use crate::Client;

/// Handshakes under way at a time.
const AT_A_TIME: usize = 8;

/// Opens connections with one request each for a while, and returns their number.
///
/// # Errors
/// When a connection fails or a response is not `200`.
pub async fn handshakes(client: Client, length: Duration) -> anyhow::Result<u32> {
    let end = Instant::now() + length;
    let loops = (0..AT_A_TIME).map(|_| async {
        let mut done = 0_u32;
        while Instant::now() < end {
            connection(&client).await?;
            done += 1;
        }
        anyhow::Ok(done)
    });
    Ok(try_join_all(loops).await?.into_iter().sum())
}

async fn connection(client: &Client) -> anyhow::Result<()> {
    let mut stream = client.connect().await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        client.path,
        client.authority()
    );
    stream
        .write_all(request.as_bytes())
        .await
        .context("the request cannot be sent")?;
    let mut response = Vec::with_capacity(4096);
    stream
        .read_to_end(&mut response)
        .await
        .context("the response was cut off")?;
    if !response.starts_with(b"HTTP/1.1 200 ") {
        let line = response
            .split(|byte| *byte == b'\r')
            .next()
            .unwrap_or_default();
        bail!("the response is {:?}", String::from_utf8_lossy(line));
    }
    Ok(())
}
