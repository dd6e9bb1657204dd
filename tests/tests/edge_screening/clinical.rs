//! Ten thousand requests of ordinary days, the same ones at each run. None may be refused: whoever is
//! turned away by mistake turns the screening off.

use tests::edge::Plan;

use super::days::Days;

const REQUESTS: usize = 10_000;

/// A connection does not live for ever.
const ON_A_CONNECTION: usize = 100;

#[tokio::test]
async fn ten_thousand_ordinary_requests_are_not_refused() -> anyhow::Result<()> {
    let edge = Plan::of(1).without_rate_limits().start().await?;
    edge.ready().await?;
    let mut days = Days::of_seed(20_261_123)?;
    let mut wire = edge.connect().await?;
    for number in 0..REQUESTS {
        if number % ON_A_CONNECTION == 0 {
            wire = edge.connect().await?;
        }
        let (asked, bytes) = days.next();
        let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(3_000)]).into_owned();
        wire.send(&bytes).await?;
        let (_, answer) = wire.answer(asked.method).await?;
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), shown());
        let seen = edge.origin()?.take();
        assert_eq!(seen.messages.len(), 1, "{}", shown());
        let came = &seen.messages[0];
        assert_eq!(
            (came.method(), came.target()),
            (asked.method, asked.target.as_str())
        );
        assert_eq!(came.body, asked.body, "{}", shown());
    }
    Ok(())
}
