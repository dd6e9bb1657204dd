//! Shapes as SVG.

use std::fmt::Write as _;

/// Colours and fonts for light and dark backgrounds. Without variables, which some SVG readers do not support.
const STYLE: &str = "\
text{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#1d2733}\
.name{font-size:14px;font-weight:600}\
.small{font-size:11px;fill:#5a6675}\
.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:10.5px;fill:#5a6675}\
.flow{font-size:12px;font-weight:600}\
.paper{fill:#ffffff}\
.network{fill:none;stroke:#9aa7b5;stroke-width:1.5}\
.zone{fill:#f3f5f8}\
.subnet{fill:#ffffff;stroke:#ccd4dd}\
.endpoints{fill:none;stroke:#9aa7b5;stroke-dasharray:5 4}\
.outside{fill:#eef1f5;stroke:#7d8a99;stroke-width:1.5}\
.front{fill:#fff1dd;stroke:#c9761a;stroke-width:1.5}\
.tier{fill:#e4effd;stroke:#2f6cbf;stroke-width:1.5}\
.data{fill:#e2f4e8;stroke:#2a8553;stroke-width:1.5}\
.endpoint{fill:#eee8fa;stroke:#7454bd;stroke-width:1.5}\
.isolated{stroke-dasharray:5 4}\
.line{fill:none;stroke:#1d2733;stroke-width:1.6}\
.tip{fill:#1d2733}\
.wrong .line{stroke:#c62828;stroke-width:2.4}\
.wrong .tip,.wrong text{fill:#c62828}\
@media (prefers-color-scheme:dark){\
text{fill:#e3e9f0}\
.small,.code{fill:#9fadbc}\
.paper{fill:#11161c}\
.network,.endpoints{stroke:#5b6878}\
.zone{fill:#1a212a}\
.subnet{fill:#11161c;stroke:#38434f}\
.outside{fill:#242d37;stroke:#7d8a99}\
.front{fill:#3a2a14;stroke:#e09a4a}\
.tier{fill:#16293f;stroke:#6aa3ea}\
.data{fill:#153223;stroke:#5bbd88}\
.endpoint{fill:#2a2240;stroke:#a78be0}\
.line{stroke:#e3e9f0}\
.tip{fill:#e3e9f0}\
.wrong .line{stroke:#ff7b72}\
.wrong .tip,.wrong text{fill:#ff7b72}\
}";

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Area {
    pub(super) const fn new(x: i32, y: i32, width: i32, height: i32) -> Self {
        Self {
            x,
            y,
            width,
            height,
        }
    }

    pub(super) const fn right(self) -> i32 {
        self.x + self.width
    }

    pub(super) const fn bottom(self) -> i32 {
        self.y + self.height
    }

    pub(super) const fn middle(self) -> (i32, i32) {
        (self.x + self.width / 2, self.y + self.height / 2)
    }
}

/// The SVG elements drawn so far.
#[derive(Debug, Default)]
pub(super) struct Canvas(String);

impl Canvas {
    pub(super) fn area(&mut self, class: &str, area: Area, radius: i32) {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        self.line(format_args!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>"#
        ));
    }

    pub(super) fn text(&mut self, class: &str, at: (i32, i32), anchor: &str, text: &str) {
        let (x, y) = at;
        let text = escaped(text);
        self.line(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    /// An arrow down, with its label on the right.
    pub(super) fn down(&mut self, x: i32, from: i32, to: i32, label: &str, allowed: bool) {
        self.flow(allowed, |canvas| {
            let end = to - 8;
            canvas.line(format_args!(
                r#"<path class="line" d="M{x} {from}V{end}"/>"#
            ));
            let (left, right) = (x - 5, x + 5);
            let tip = to - 1;
            canvas.line(format_args!(
                r#"<path class="tip" d="M{x} {tip}L{left} {end}H{right}Z"/>"#
            ));
            // A long arrow passes other boxes: its label is near its end.
            let middle = if to - from > 120 {
                to - 45
            } else {
                i32::midpoint(from, to)
            };
            canvas.text("flow", (x + 12, middle + 4), "start", label);
        });
    }

    /// An arrow to the side, with its label above.
    pub(super) fn across(&mut self, y: i32, from: i32, to: i32, label: (i32, &str), allowed: bool) {
        self.flow(allowed, |canvas| {
            let (end, tip) = if to > from {
                (to - 8, to - 1)
            } else {
                (to + 8, to + 1)
            };
            canvas.line(format_args!(
                r#"<path class="line" d="M{from} {y}H{end}"/>"#
            ));
            let (above, below) = (y - 5, y + 5);
            canvas.line(format_args!(
                r#"<path class="tip" d="M{tip} {y}L{end} {above}V{below}Z"/>"#
            ));
            canvas.text("flow", (label.0, y - 7), "middle", label.1);
        });
    }

    /// A curved arrow on the left side, for connections that the rows leave no space for.
    pub(super) fn around(&mut self, from: (i32, i32), to: (i32, i32), label: &str) {
        self.flow(false, |canvas| {
            let ((x, y), (to_x, to_y)) = (from, to);
            let end = to_x - 8;
            let out = x.min(to_x) - 30;
            canvas.line(format_args!(
                r#"<path class="line" d="M{x} {y}C{out} {y} {out} {to_y} {end} {to_y}"/>"#
            ));
            let (above, below) = (to_y - 5, to_y + 5);
            canvas.line(format_args!(
                r#"<path class="tip" d="M{to_x} {to_y}L{end} {above}V{below}Z"/>"#
            ));
            canvas.text("flow", (x + 6, i32::midpoint(y, to_y)), "start", label);
        });
    }

    fn flow(&mut self, allowed: bool, draw: impl FnOnce(&mut Self)) {
        let class = if allowed { "allowed" } else { "wrong" };
        self.line(format_args!(r#"<g class="{class}">"#));
        draw(self);
        self.line(format_args!("</g>"));
    }

    fn line(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{shape}");
    }

    /// The complete SVG.
    pub(super) fn finished(self, width: i32, height: i32, title: &str) -> String {
        let title = escaped(title);
        let shapes = self.0;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n{shapes}</svg>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
