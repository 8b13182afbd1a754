//! Progress of a training on stderr.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::Duration;

use exporter::inference::sample::{text, words};
use exporter::model::file::FoldedModel;
use exporter::model::pack::pack_f32;
use exporter::train::event::Event;
use indicatif::{ProgressBar, ProgressStyle};
use runtime::{Model, Sampling};

use crate::cli::{count, is_quiet};

/// Number of names to draw at every measurement of the dev loss. The seed is always the same, to watch them improve.
const SAMPLES: usize = 6;

/// Progress on stderr: a line per measurement, and on a terminal also a bar.
#[derive(Default)]
pub struct Progress {
    loss: f32,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Start { shapes, parameters, done, steps } => {
                eprint!("{shapes}");
                eprint!("  {} parameters, {} steps", count(parameters), count(steps));
                match done {
                    0 => eprintln!("\n"),
                    done => eprintln!(", {} of them already done\n", count(done)),
                }
                eprintln!("   step   train     dev  drawn so far");
                if std::io::stderr().is_terminal() && !is_quiet() {
                    let bar = ProgressBar::new(steps as u64);
                    let template = "{bar:30} {pos}/{len} steps, {per_sec}, loss {msg}, {eta} left";
                    bar.set_style(ProgressStyle::with_template(template).expect("it is well-formed"));
                    bar.enable_steady_tick(Duration::from_millis(200));
                    self.bar = Some(bar);
                }
            }
            Event::Step { step, losses, .. } => {
                self.loss = losses.iter().sum::<f32>() / losses.len() as f32;
                if let Some(bar) = &self.bar {
                    bar.set_position(step as u64);
                    bar.set_message(format!("{:.4}", self.loss));
                }
            }
            Event::Dev { step, nll, model, .. } => {
                let drawn = model.map(samples).unwrap_or_default().join(" ");
                self.line(&format!("{step:>7}  {:.4}  {nll:.4}  {drawn}", self.loss));
            }
            Event::Statistics { .. } | Event::Checkpoint { result: Ok(()), .. } => {}
            Event::Checkpoint { step, result: Err(error) } => {
                self.line(&format!("{step:>7}  no checkpoint: {error}; the previous one is kept"));
            }
        }
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Number of characters that are drawn from a model of text.
const TEXT: usize = 60;

/// Draws names, or the beginning of a text in one line, from the model so far, with the chip's code.
fn samples(model: &FoldedModel) -> Vec<String> {
    let mut names = Vec::new();
    // During training, weights may be too large for a blob; then there are no names.
    if let Ok(blob) = pack_f32(model)
        && let Ok(model) = Model::new(blob.as_bytes())
    {
        if model.vocab().is_of_text() {
            let mut drawn = String::new();
            text(&model, Sampling::default(), 42, "", TEXT, |character| {
                drawn.push(if character == '\n' { ' ' } else { character });
                ControlFlow::Continue(())
            })
            .expect("no prompt, no error");
            return vec![drawn];
        }
        let each = |(name, _)| {
            names.push(name);
            ControlFlow::Continue(())
        };
        words(&model, Sampling::default(), 42, "", 12, SAMPLES, each).expect("no prompt, no error");
    }
    names
}
