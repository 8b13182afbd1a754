//! Line charts over steps: panels below one another, each with its legend above it.

use std::ops::Range;

use plotters::prelude::*;

use super::Area;

pub type Failed = Box<dyn std::error::Error>;

/// Steps and the values measured at them.
pub type Points = Vec<(f64, f64)>;

/// Style of a series.
#[derive(Clone, Copy, PartialEq)]
pub enum Style {
    Line,
    /// Thin and pale line, as a background for the others.
    Faint,
    Dashed,
    /// Line with a dot per point.
    Dots,
}

pub struct Series {
    pub label: String,
    pub color: RGBColor,
    pub style: Style,
    pub points: Points,
}

pub struct Panel<'a> {
    pub x: Range<f64>,
    pub y: Range<f64>,
    pub y_name: &'a str,
    /// Value of a dashed horizontal line across the panel.
    pub mark: Option<f64>,
    pub series: Vec<Series>,
    /// `true` if y values are base-10 logarithms: the axis shows the powers of ten.
    pub powers: bool,
}

const LEGEND: u32 = 26;
const TITLE: u32 = 40;

/// Draws a title, rows of labels if any, and panels of these heights.
pub fn panels(area: &Area<'_>, title: &str, labels: &[Vec<Series>], panels: &[(u32, Panel<'_>)]) -> Result<(), Failed> {
    let (head, mut rest) = area.split_vertically(TITLE);
    head.draw(&Text::new(title.to_owned(), (16, 14), ("sans-serif", 19).into_font().color(&BLACK)))?;
    for row in labels {
        let (this, below) = rest.split_vertically(LEGEND);
        legend(&this, row)?;
        rest = below;
    }
    for (index, (height, content)) in panels.iter().enumerate() {
        let (this, below) = rest.split_vertically(*height);
        panel(&this, content, index + 1 == panels.len())?;
        rest = below;
    }
    Ok(())
}

/// Returns the height of a figure with `labels` rows of labels and panels of these heights.
pub fn height(labels: usize, panels: &[(u32, Panel<'_>)]) -> u32 {
    let labels = u32::try_from(labels).expect("few rows");
    TITLE + labels * LEGEND + panels.iter().map(|(height, _)| height).sum::<u32>() + 8
}

fn panel(area: &Area<'_>, panel: &Panel<'_>, last: bool) -> Result<(), Failed> {
    let (above, plot) = area.split_vertically(LEGEND);
    legend(&above, &panel.series)?;
    let mut chart = ChartBuilder::on(&plot)
        .margin_right(30)
        .margin_left(14)
        .margin_top(4)
        .x_label_area_size(if last { 48 } else { 26 })
        .y_label_area_size(78)
        .build_cartesian_2d(panel.x.clone(), panel.y.clone())?;
    // Two digits: half a power of ten is shown as 3.2.
    let power = |value: &f64| {
        let (exponent, number) = (value.floor(), 10_f64.powf(*value));
        let digits = format!("{:.1}", 10_f64.powf(value - exponent));
        match exponent {
            ..-2.0 => format!("{}e{exponent}", digits.trim_end_matches(".0")),
            _ => {
                let decimals = (1.0 - exponent).max(0.0) as usize;
                let text = format!("{number:.decimals$}");
                match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => text,
                }
            }
        }
    };
    let span = panel.y.end - panel.y.start;
    let plain = |value: &f64| {
        let digits = if span < 0.05 {
            3
        } else if span < 8.0 {
            2
        } else {
            0
        };
        format!("{value:.digits$}")
    };
    let y_format: &dyn Fn(&f64) -> String = if panel.powers { &power } else { &plain };
    let mut mesh = chart.configure_mesh();
    mesh.x_labels(9)
        .y_labels(if plot.dim_in_pixel().1 < 180 { 4 } else { 8 })
        .max_light_lines(0)
        .bold_line_style(RGBColor(225, 225, 225))
        .axis_style(RGBColor(120, 120, 120))
        .label_style(("sans-serif", 13).into_font())
        .axis_desc_style(("sans-serif", 14).into_font())
        .x_label_formatter(&|step| thousands(*step))
        .y_label_formatter(y_format)
        .y_desc(panel.y_name);
    if last {
        mesh.x_desc("step");
    }
    mesh.draw()?;
    // Moves points above or below the panel to its edge.
    let inside = |&(x, y): &(f64, f64)| (x, y.clamp(panel.y.start, panel.y.end));
    if let Some(mark) = panel.mark {
        let ends = [(panel.x.start, mark), (panel.x.end, mark)];
        chart.draw_series(DashedLineSeries::new(ends, 4, 4, BLACK.mix(0.6).stroke_width(1)))?;
    }
    for series in &panel.series {
        let points: Points = series.points.iter().filter(|point| point.1.is_finite()).map(inside).collect();
        match series.style {
            Style::Faint => {
                chart.draw_series(LineSeries::new(points, series.color.mix(0.28).stroke_width(1)))?;
            }
            Style::Dashed => {
                chart.draw_series(DashedLineSeries::new(points, 7, 4, series.color.stroke_width(2)))?;
            }
            Style::Line | Style::Dots => {
                chart.draw_series(LineSeries::new(points.clone(), series.color.stroke_width(2)))?;
                if series.style == Style::Dots {
                    chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, series.color.filled())))?;
                }
            }
        }
    }
    Ok(())
}

/// Draws swatches with labels, from left to right.
fn legend(area: &Area<'_>, series: &[Series]) -> Result<(), Failed> {
    let font = ("sans-serif", 13).into_font();
    let mut x = 92;
    for series in series.iter().filter(|series| !series.label.is_empty()) {
        let middle = 14;
        let color = if series.style == Style::Faint { series.color.mix(0.28) } else { series.color.mix(1.0) };
        match series.style {
            Style::Dashed => {
                for start in [x, x + 12] {
                    area.draw(&Rectangle::new([(start, middle - 1), (start + 8, middle + 1)], color.filled()))?;
                }
            }
            _ => area.draw(&Rectangle::new([(x, middle - 1), (x + 20, middle + 1)], color.filled()))?,
        }
        if series.style == Style::Dots {
            area.draw(&Circle::new((x + 10, middle), 3, color.filled()))?;
        }
        area.draw(&Text::new(series.label.clone(), (x + 26, middle - 7), font.color(&BLACK)))?;
        let (width, _) = font.box_size(&series.label).map_err(|error| error.to_string())?;
        x += 26 + i32::try_from(width)? + 22;
    }
    Ok(())
}

/// Formats a number of steps for an axis.
fn thousands(step: f64) -> String {
    let step = step.round() as i64;
    match step {
        0..10_000 => step.to_string(),
        _ if step % 1000 == 0 => format!("{}k", step / 1000),
        _ => format!("{:.1}k", step as f64 / 1000.0),
    }
}
