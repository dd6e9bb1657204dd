//! Ten thousand ordinary requests, the same in each run. None may be refused: an operator disables
//! a screening that refuses legitimate requests.

use tests::edge::EdgeBuilder;

use super::traffic::Traffic;

const REQUESTS: usize = 10_000;

/// The number of requests per connection.
const REQUESTS_PER_CONNECTION: usize = 100;

#[tokio::test]
async fn ten_thousand_ordinary_requests_are_not_refused() -> anyhow::Result<()> {
    let edge = EdgeBuilder::with_origins(1)
        .without_rate_limits()
        .start()
        .await?;
    edge.ready().await?;
    let mut traffic = Traffic::with_seed(20_261_123)?;
    let mut connection = edge.connect().await?;
    for number in 0..REQUESTS {
        if number % REQUESTS_PER_CONNECTION == 0 {
            connection = edge.connect().await?;
        }
        let (request, bytes) = traffic.next();
        let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(3_000)]).into_owned();
        connection.send(&bytes).await?;
        let (_, response) = connection.response(request.method).await?;
        assert_eq!(response.status, 200, "{}\n{}", response.text(), shown());
        let seen = edge.origin()?.take_record();
        assert_eq!(seen.messages.len(), 1, "{}", shown());
        let received = &seen.messages[0];
        assert_eq!(
            (received.method(), received.target()),
            (request.method, request.target.as_str())
        );
        assert_eq!(received.body, request.body, "{}", shown());
    }
    Ok(())
}
