//! Plots over the steps of a training.

use std::ops::Range;

use plotters::style::RGBColor;

use super::chart::{Panel, Points, Series, Style, height, panels};
use super::{PlotError, RunData, color, draw};
use crate::train::run::metrics::Row;

/// Width of a figure.
const WIDTH: u32 = 960;
/// Number of points of a line: more than one per unit of width would be invisible.
const POINTS: usize = 800;
/// Number of steps of the rolling mean.
const ROLLING: usize = 1000;

/// Returns the losses of all steps, from step 1.
fn step_losses(run: &RunData) -> Vec<f64> {
    let losses = run.rows.iter().filter_map(|row| match row {
        Row::Loss { losses, .. } => Some(losses),
        _ => None,
    });
    losses.flatten().map(|&loss| f64::from(loss)).collect()
}

/// Returns the number of steps of the rolling mean, which is shorter for a short run.
fn window(losses: usize) -> usize {
    ROLLING.min(losses / 10).max(1)
}

/// Returns the mean of the last `window` losses, at up to [`POINTS`] steps.
fn rolling(losses: &[f64], window: usize) -> Points {
    let mut sums = vec![0.0];
    for loss in losses {
        sums.push(sums[sums.len() - 1] + loss);
    }
    let every = losses.len().div_ceil(POINTS);
    let steps = (window..=losses.len()).step_by(every).chain((losses.len() > window).then_some(losses.len()));
    steps.map(|step| (step as f64, (sums[step] - sums[step - window]) / window as f64)).collect()
}

/// Returns the minimum and the maximum loss of each interval of steps: drawn as a line, they look like a band.
fn band(losses: &[f64]) -> Points {
    let every = losses.len().div_ceil(POINTS);
    let each = |(index, part): (usize, &[f64])| {
        let step = (index * every + 1) as f64;
        let least = part.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = part.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if part.len() == 1 { vec![(step, least)] } else { vec![(step, least), (step + every as f64 / 2.0, greatest)] }
    };
    losses.chunks(every).enumerate().flat_map(each).collect()
}

/// Returns the measured dev and train losses.
fn measured(run: &RunData) -> (Points, Points) {
    let rows = run.rows.iter().filter_map(|row| match row {
        Row::Dev { step, nll, train_nll } => Some(((*step as f64, *nll), (*step as f64, *train_nll))),
        _ => None,
    });
    rows.unzip()
}

/// Returns the range of all values, with a small margin.
fn range<'a>(values: impl IntoIterator<Item = &'a (f64, f64)>) -> Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (_, value) in values {
        if value.is_finite() {
            (low, high) = (low.min(*value), high.max(*value));
        }
    }
    if low > high {
        return 0.0..1.0;
    }
    let room = ((high - low) * 0.06).max(1e-3);
    low - room..high + room
}

fn last_step(runs: &[&RunData]) -> f64 {
    let steps = runs.iter().flat_map(|run| run.rows.iter().map(Row::step));
    steps.max().unwrap_or(1).max(2) as f64
}

fn series(label: impl Into<String>, color: RGBColor, style: Style, points: Points) -> Series {
    Series { label: label.into(), color, style, points }
}

/// Draws the loss per step with its rolling mean and the dev loss, and below it the learning rate.
pub fn loss(run: &RunData) -> Result<String, PlotError> {
    let losses = step_losses(run);
    let window = window(losses.len());
    let (smooth, (dev, _)) = (rolling(&losses, window), measured(run));
    // Quantiles rather than extremes: a few outliers should not determine the axis.
    let mut sorted = losses.clone();
    sorted.sort_by(f64::total_cmp);
    let quantile = |q: f64| sorted[((sorted.len() - 1) as f64 * q) as usize];
    let bounds = [(0.0, quantile(0.001)), (0.0, quantile(0.998))];
    let y = range(smooth.iter().chain(&dev).chain(&bounds));
    let rates: Points = rates(run);
    let x = 0.0..last_step(&[run]);
    let steps = if window == 1 { "each step".to_owned() } else { format!("mean of {window} steps") };
    let figure = [
        (
            430,
            Panel {
                x: x.clone(),
                y,
                y_name: "loss, nats per character",
                mark: None,
                powers: false,
                series: vec![
                    series("train, each step", color(0), Style::Faint, band(&losses)),
                    series(format!("train, {steps}"), color(0), Style::Line, smooth),
                    series("dev", color(1), Style::Dots, dev),
                ],
            },
        ),
        (
            200,
            Panel {
                x,
                y: rate_range(&rates),
                y_name: "learning rate",
                mark: None,
                powers: true,
                series: vec![series("learning rate", color(2), Style::Line, rates)],
            },
        ),
    ];
    draw("the loss", (WIDTH, height(0, &figure)), |area| panels(area, &format!("{}: loss", run.name), &[], &figure))
}

/// Returns the base-10 logarithm of the learning rate. A sudden drop is a vertical line.
fn rates(run: &RunData) -> Points {
    let mut rates: Points = Vec::new();
    let mut before = 1.0;
    for row in &run.rows {
        if let Row::Loss { step, lr, losses } = row {
            let rate = lr.log10();
            let first = (*step + 1).saturating_sub(losses.len()) as f64;
            if let Some(&(_, last)) = rates.last()
                && (last - rate).abs() > 0.08
            {
                rates.push((first, last));
                before = first;
            }
            rates.push((first.max(before), rate));
            rates.push((*step as f64, rate));
        }
    }
    // A constant rate only needs its first and last point.
    let last = rates.len().saturating_sub(1);
    let corner = |index: usize| {
        index == 0 || index == last || rates[index - 1].1 != rates[index].1 || rates[index + 1].1 != rates[index].1
    };
    let mut points: Points = (0..rates.len()).filter(|&index| corner(index)).map(|index| rates[index]).collect();
    if points.len() > 4 * POINTS {
        let every = points.len().div_ceil(POINTS);
        points = points.into_iter().step_by(every).collect();
    }
    points
}

/// Returns the range of the rates, at least a ten-thousandth of the highest rate: a cosine ends at 0.
fn rate_range(rates: &[(f64, f64)]) -> Range<f64> {
    let high = rates.iter().map(|rate| rate.1).fold(f64::NEG_INFINITY, f64::max);
    let low = rates.iter().map(|rate| rate.1).fold(f64::INFINITY, f64::min).max(high - 4.0);
    low - 0.25..high + 0.25
}

/// Draws the rolling means of several runs.
pub fn losses(runs: &[&RunData]) -> Result<String, PlotError> {
    let lines: Vec<Series> = runs
        .iter()
        .enumerate()
        .map(|(index, run)| {
            let losses = step_losses(run);
            series(run.name.clone(), color(index), Style::Line, rolling(&losses, window(losses.len())))
        })
        .collect();
    let y = range(lines.iter().flat_map(|line| &line.points));
    overlay("Training loss, rolling mean", runs, lines, y)
}

/// Draws train and dev losses in eval mode, of one run or several.
pub fn train_dev(runs: &[&RunData]) -> Result<String, PlotError> {
    let mut lines = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let (dev, train) = measured(run);
        let name = &run.name;
        if runs.len() == 1 {
            lines.push(series("train (eval mode, a part of the size of dev)", color(0), Style::Dots, train));
            lines.push(series("dev", color(1), Style::Dots, dev));
        } else {
            lines.push(series(format!("{name}, dev"), color(index), Style::Dots, dev));
            lines.push(series("", color(index), Style::Dashed, train));
        }
    }
    let y = range(lines.iter().flat_map(|line| &line.points));
    let title = match runs {
        [run] => format!("{}: train and dev loss", run.name),
        _ => "Dev (lines) and train (dashed), in eval mode".to_owned(),
    };
    overlay(&title, runs, lines, y)
}

/// Draws one panel, with the names of the series in one or more rows above it.
fn overlay(title: &str, runs: &[&RunData], mut lines: Vec<Series>, y: Range<f64>) -> Result<String, PlotError> {
    const LEGEND_CHARACTERS: usize = 95;
    let x = 0.0..last_step(runs);
    let mut rows: Vec<Vec<Series>> = vec![Vec::new()];
    let mut used = 0;
    for line in &mut lines {
        if line.label.is_empty() {
            continue;
        }
        let characters = line.label.chars().count() + 6;
        if used + characters > LEGEND_CHARACTERS && used > 0 {
            rows.push(Vec::new());
            used = 0;
        }
        used += characters;
        let label = std::mem::take(&mut line.label);
        rows.last_mut().expect("there is one").push(Series { label, points: Vec::new(), ..*line });
    }
    let figure = [(500, Panel { x, y, y_name: "loss, nats per character", mark: None, powers: false, series: lines })];
    draw("losses", (WIDTH, height(rows.len(), &figure)), |area| panels(area, title, &rows, &figure))
}

/// Draws saturation, standard deviation and mean of every level's outputs.
pub fn activations(run: &RunData) -> Result<String, PlotError> {
    let levels = run.levels.len();
    let of = |value: fn(&crate::train::statistics::Activations) -> f64| -> Vec<Series> {
        let points = |level: usize| {
            let rows = run.rows.iter().filter_map(|row| match row {
                Row::Statistics { step, activations, .. } => Some((*step as f64, value(activations.get(level)?))),
                _ => None,
            });
            rows.collect()
        };
        (0..levels).map(|level| series(format!("level {level}"), color(level), Style::Line, points(level))).collect()
    };
    let x = 0.0..last_step(&[run]);
    let panel = |height: u32, y_name, series: Vec<Series>| {
        let mut y = range(series.iter().flat_map(|line| &line.points));
        y.start = y.start.max(if y_name == "mean" { f64::NEG_INFINITY } else { 0.0 });
        (height, Panel { x: x.clone(), y, y_name, mark: None, series, powers: false })
    };
    let figure = [
        panel(220, "share |output| > 0.97", of(|level| level.saturated)),
        panel(200, "standard deviation", of(|level| level.std)),
        panel(222, "mean", of(|level| level.mean)),
    ];
    let title = format!("{}: outputs of every level, on a training batch", run.name);
    draw("activations", (WIDTH, height(0, &figure)), |area| panels(area, &title, &[], &figure))
}

/// Draws the sizes of gradients and updates of every matrix, relative to its weights.
pub fn weights(run: &RunData) -> Result<String, PlotError> {
    let names: Vec<String> = run
        .rows
        .iter()
        .find_map(|row| match row {
            Row::Statistics { weights, .. } => Some(weights.iter().map(|weight| weight.name.clone()).collect()),
            _ => None,
        })
        .unwrap_or_default();
    let of = |value: fn(&crate::train::statistics::WeightStatistics) -> f64| -> Vec<Series> {
        let line = |(index, name): (usize, &String)| {
            let rows = run.rows.iter().filter_map(|row| match row {
                Row::Statistics { step, weights, .. } => Some((*step as f64, value(weights.get(index)?))),
                _ => None,
            });
            let label = match name.split('.').collect::<Vec<_>>()[..] {
                ["levels", level, ..] => format!("level {level}"),
                [first, ..] => first.to_owned(),
                [] => String::new(),
            };
            series(label, color(index), Style::Line, rows.collect())
        };
        names.iter().enumerate().map(line).collect()
    };
    let x = 0.0..last_step(&[run]);
    let panel = |height: u32, y_name, mark: Option<f64>, series: Vec<Series>| {
        let marked: Points = mark.iter().map(|&mark| (0.0, mark)).collect();
        let y = range(series.iter().flat_map(|line| &line.points).chain(&marked));
        (height, Panel { x: x.clone(), y, y_name, mark, series, powers: true })
    };
    let figure = [
        panel(300, "std(gradient) / std(weight)", None, of(|weight| weight.gradient_to_data.log10())),
        panel(330, "std(update) / std(weight)", Some(-3.0), of(|weight| weight.log10_update_to_data)),
    ];
    let title = format!("{}: gradients and updates (dashed: the lecture's rule of thumb, 1e-3)", run.name);
    draw("weights", (WIDTH, height(0, &figure)), |area| panels(area, &title, &[], &figure))
}
