//! Lines, boxes and text at positions in pixels, for the pictures of trees.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Area;

pub type Place = (i32, i32);
pub type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Area to draw on.
pub struct Sheet<'a, 'b>(pub &'a Area<'b>);

impl Sheet<'_, '_> {
    pub fn line(&self, places: Vec<Place>, style: impl Into<ShapeStyle>) -> Drawn {
        Ok(self.0.draw(&PathElement::new(places, style))?)
    }

    pub fn rectangle(&self, corners: [Place; 2], style: impl Into<ShapeStyle>) -> Drawn {
        Ok(self.0.draw(&Rectangle::new(corners, style))?)
    }

    pub fn circle(&self, centre: Place, radius: i32, style: impl Into<ShapeStyle>) -> Drawn {
        Ok(self.0.draw(&Circle::new(centre, radius, style))?)
    }

    /// Writes text. `place` is its left end, centre or right end (depending on `side`), in the middle of its height.
    pub fn say(&self, text: &str, place: Place, size: i32, color: &RGBColor, side: HPos) -> Drawn {
        let font = ("sans-serif", size).into_font();
        let style = font.color(color).pos(Pos::new(side, VPos::Center));
        Ok(self.0.draw(&Text::new(text.to_owned(), place, style))?)
    }
}
