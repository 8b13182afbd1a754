//! Plots of trainings, as SVG and PNG.
//!
//! plotters draws the SVG, and resvg converts it to PNG. Text is in DejaVu Sans, which is part of the program: the
//! picture does not depend on the machine's fonts.

mod activations;
mod chart;
mod embedding;
mod history;
mod sheet;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Once;

use plotters::prelude::*;

pub use activations::activations;

use crate::io::write::{WriteError, write_atomically};
use crate::model::file::{FileError, FoldedModel};
use crate::train::run::metrics::{self, Row};
use crate::train::run::{self, RunError};

/// Pixels of the PNG per unit of the SVG.
const SCALE: f32 = 1.5;

/// Reason why a plot cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The folder has no run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The metrics cannot be read.
    #[error("{path}: {source}")]
    Metrics {
        /// The file.
        path: PathBuf,
        /// Error of the system, or the fault of a line.
        source: std::io::Error,
    },
    /// The run has no losses yet.
    #[error("{path} has no losses yet: wait until the training has done some steps")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] FileError),
    /// The drawing failed.
    #[error("cannot draw {what}: {reason}")]
    Draw {
        /// The plot.
        what: String,
        /// Error of the library.
        reason: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Data of a run for the plots.
pub struct RunData {
    /// Name of the folder.
    pub name: String,
    /// Lines of `metrics.jsonl`.
    pub rows: Vec<Row>,
    /// Fuse and width of every level, from the characters up.
    pub levels: Vec<(usize, usize)>,
    /// `true` if the output layer reads all levels.
    pub skip: bool,
    /// The model; `None` if the training has not finished.
    pub model: Option<FoldedModel>,
}

impl RunData {
    /// Reads the folder of a run.
    ///
    /// # Errors
    /// [`PlotError`] names the file.
    pub fn read(folder: &Path) -> Result<Self, PlotError> {
        let config = run::read_config(folder)?;
        let path = run::metrics_path(folder);
        let rows = metrics::read(&path).map_err(|source| PlotError::Metrics { path, source })?;
        if !rows.iter().any(|row| matches!(row, Row::Loss { .. })) {
            return Err(PlotError::Empty { path: folder.to_owned() });
        }
        let level = |level: &serde_json::Value| {
            let (fuse, width) = level.as_str()?.split_once(':')?;
            Some((fuse.parse().ok()?, width.parse().ok()?))
        };
        let levels = config["levels"].as_array().into_iter().flatten().filter_map(level).collect();
        let model = run::model_path(folder);
        // The absolute path also has a file name for `runs/` or `.`.
        let name =
            std::path::absolute(folder).ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        Ok(Self {
            name: name.unwrap_or_else(|| folder.display().to_string()),
            rows,
            levels,
            skip: config["skip"] == true,
            model: model.exists().then(|| FoldedModel::read(&model)).transpose()?,
        })
    }
}

/// Writes all plots of one run to `folder`. Returns the names of the files without extension.
///
/// # Errors
/// [`PlotError`] if a plot cannot be drawn or written.
pub fn plot_run(run: &RunData, folder: &Path) -> Result<Vec<&'static str>, PlotError> {
    let mut written = Vec::new();
    let mut write = |name: &'static str, svg: Result<String, PlotError>| {
        write_both(&folder.join(name), &svg?)?;
        written.push(name);
        Ok::<_, PlotError>(())
    };
    write("loss", history::loss(run))?;
    write("train-dev", history::train_dev(&[run]))?;
    if run.rows.iter().any(|row| matches!(row, Row::Statistics { .. })) {
        write("activations", history::activations(run))?;
        write("weights", history::weights(run))?;
    }
    if !run.levels.is_empty() {
        write("tree", tree::tree(run))?;
    }
    if let Some(model) = &run.model {
        write("embedding", embedding::embedding(&run.name, model))?;
    }
    Ok(written)
}

/// Writes plots that show several runs together. Returns the names of the files without extension.
///
/// # Errors
/// [`PlotError`] if a plot cannot be drawn or written.
pub fn plot_runs(runs: &[&RunData], folder: &Path) -> Result<Vec<&'static str>, PlotError> {
    write_both(&folder.join("losses"), &history::losses(runs)?)?;
    write_both(&folder.join("train-dev"), &history::train_dev(runs)?)?;
    Ok(vec!["losses", "train-dev"])
}

fn write_both(path: &Path, svg: &str) -> Result<(), PlotError> {
    write_atomically(&path.with_extension("svg"), svg.as_bytes())?;
    Ok(write_atomically(&path.with_extension("png"), &png_of(svg)?)?)
}

/// Converts an SVG to PNG.
///
/// # Errors
/// [`PlotError::Draw`] if the conversion fails.
pub fn png_of(svg: &str) -> Result<Vec<u8>, PlotError> {
    to_png(svg).map_err(|reason| PlotError::Draw { what: "a PNG".to_owned(), reason })
}

fn to_png(svg: &str) -> Result<Vec<u8>, String> {
    let mut options = resvg::usvg::Options::default();
    options.fontdb_mut().load_font_data(dejavu::sans::regular().to_vec());
    options.fontdb_mut().set_sans_serif_family("DejaVu Sans");
    let tree = resvg::usvg::Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or("the picture is too large")?;
    let mut pixmap = resvg::tiny_skia::Pixmap::new(size.width(), size.height()).ok_or("the picture is too large")?;
    resvg::render(&tree, resvg::tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| error.to_string())
}

/// Registers the font, once per process.
fn prepare() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        for style in [FontStyle::Normal, FontStyle::Bold, FontStyle::Italic, FontStyle::Oblique] {
            assert!(
                plotters::style::register_font("sans-serif", style, dejavu::sans::regular()).is_ok(),
                "DejaVu Sans is a font"
            );
        }
    });
}

/// Draws on a white area of this size, in SVG units. Returns the SVG.
fn draw(
    what: &str,
    (width, height): (u32, u32),
    paint: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, PlotError> {
    prepare();
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let failed = |reason: String| PlotError::Draw { what: what.to_owned(), reason };
        area.fill(&WHITE).map_err(|error| failed(error.to_string()))?;
        paint(&area).map_err(|error| failed(error.to_string()))?;
        area.present().map_err(|error| failed(error.to_string()))?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Colours that colour-blind people can distinguish (Okabe and Ito).
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

fn color(index: usize) -> RGBColor {
    COLORS[index % COLORS.len()]
}
