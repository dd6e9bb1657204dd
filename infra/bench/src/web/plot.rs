//! A figure as a plot: a bar for each proxy.

use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use plotters::style::text_anchor::Pos;
use plotters::style::text_anchor::VPos;

use crate::figures::short;

const WIDTH: u32 = 900;
const ROW: i32 = 46;
const TOP: i32 = 64;
/// Where bars begin, after the names.
const LEFT: i32 = 230;
/// The longest bar's length.
const LENGTH: f64 = 560.0;

const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const THEIRS: RGBColor = RGBColor(0xb8, 0xc0, 0xc8);

/// Draws a bar for each value, in order; the first is web.
pub(super) fn bars(caption: &str, bars: &[(String, f64)], path: &Path) -> anyhow::Result<()> {
    draw(caption, bars, path).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn draw(
    caption: &str,
    bars: &[(String, f64)],
    path: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let rows = i32::try_from(bars.len())?;
    let height = u32::try_from(TOP + rows * ROW + 12)?;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = |size: i32, horizontal: HPos| {
        TextStyle::from(("sans-serif", size).into_font()).pos(Pos::new(horizontal, VPos::Center))
    };
    area.draw_text(caption, &text(22, HPos::Left), (20, 30))?;
    let highest = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    for (row, (name, value)) in (0_i32..).zip(bars) {
        let (top, bottom) = (TOP + row * ROW, TOP + row * ROW + ROW - 12);
        let middle = i32::midpoint(top, bottom);
        let length: i32 = format!("{:.0}", value / highest * LENGTH).parse()?;
        let color = if row == 0 { OURS } else { THEIRS };
        area.draw(&Rectangle::new(
            [(LEFT, top), (LEFT + length.max(1), bottom)],
            color.filled(),
        ))?;
        area.draw_text(name, &text(16, HPos::Right), (LEFT - 10, middle))?;
        let value = short(*value);
        area.draw_text(&value, &text(16, HPos::Left), (LEFT + length + 8, middle))?;
    }
    area.present()?;
    Ok(())
}
