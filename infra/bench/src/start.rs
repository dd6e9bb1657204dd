//! From `up` to ready, everything built and the data there. The peer is the database server alone.

use std::time::Duration;
use std::time::Instant;

use anyhow::bail;

use super::effort::Effort;
use super::figures::Figures;
use super::place::Place;

/// Number of starts, of which the median counts.
const STARTS: usize = 5;

pub(super) async fn measure(
    place: &mut Place,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mut whole = Vec::new();
    let mut database = Vec::new();
    for _ in 0..effort.rounds(STARTS) {
        place.stack.down().await?;
        let begun = Instant::now();
        place.stack.start_all().await?;
        whole.push(begun.elapsed());
        for name in ["web", "app", "mysql"] {
            place.stack.stop(name).await?;
        }
        let begun = Instant::now();
        place.stack.start("mysql").await?;
        database.push(begun.elapsed());
    }
    place.stack.down().await?;
    place.stack.start_all().await?;
    let (whole, database) = (median(&mut whole)?, median(&mut database)?);
    figures.add(
        "start of a built stack",
        whole,
        "s",
        ("the database server alone", database),
    );
    Ok(())
}

fn median(times: &mut [Duration]) -> anyhow::Result<f64> {
    times.sort_unstable();
    let Some(middle) = times.get(times.len() / 2) else {
        bail!("nothing was measured")
    };
    Ok(middle.as_secs_f64())
}
