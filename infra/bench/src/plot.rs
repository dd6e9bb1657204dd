//! Plots of the loads.

use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::*;

use super::closed_loop::Load;

const SIZE: (u32, u32) = (900, 540);

/// Latency by percentile, one line per load.
pub(super) fn latencies(loads: &[Load], path: &Path) -> anyhow::Result<()> {
    draw_latencies(loads, path).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// Responses per second, one bar per load.
pub(super) fn rates(loads: &[Load], path: &Path) -> anyhow::Result<()> {
    draw_rates(loads, path).map_err(|error| anyhow!("{}: {error}", path.display()))
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_latencies(loads: &[Load], path: &Path) -> Drawn {
    let highest = loads
        .iter()
        .map(|load| load.milliseconds(99.9))
        .fold(0.2, f64::max);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("latency by percentile", ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..100.0, (0.05..highest).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("percentile")
        .y_desc("milliseconds")
        .draw()?;
    for (number, load) in loads.iter().enumerate() {
        let color = Palette99::pick(number).stroke_width(2);
        let points = (1..1000_u32).map(|tenths| {
            let percentile = f64::from(tenths) / 10.0;
            (percentile, load.milliseconds(percentile).max(0.05))
        });
        chart
            .draw_series(LineSeries::new(points, color))?
            .label(title(load))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

fn draw_rates(loads: &[Load], path: &Path) -> Drawn {
    let highest = loads.iter().map(Load::rate).fold(1.0, f64::max) * 1.1;
    let count = i32::try_from(loads.len())?;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("responses per second", ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0..count, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_desc("responses/s")
        .draw()?;
    for (number, load) in loads.iter().enumerate() {
        let left = i32::try_from(number)?;
        let color = Palette99::pick(number).filled();
        let bar = Rectangle::new([(left, 0.0), (left + 1, load.rate())], color);
        chart
            .draw_series(std::iter::once(bar))?
            .label(format!("{}: {:.0}/s", title(load), load.rate()))
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], color));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

fn title(load: &Load) -> String {
    format!("{}, {}", load.name, load.connections())
}
