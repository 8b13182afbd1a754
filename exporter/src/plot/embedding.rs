//! The embedding in two dimensions.

use ndarray::{Array1, Array2, Axis};
use plotters::prelude::*;

use super::{PlotError, color, draw};
use crate::model::file::FoldedModel;

/// First two principal components of the rows.
struct Components {
    /// Coordinates of the rows, `[rows, 2]`.
    points: Array2<f64>,
    /// Share of the variance along each component.
    shares: [f64; 2],
}

/// Computes principal components by power iteration, the second one after removing the first. Exact enough for a plot.
fn principal(rows: &Array2<f32>) -> Components {
    let values = rows.mapv(f64::from);
    let centred = &values - &values.mean_axis(Axis(0)).expect("there are rows");
    let mut covariance = centred.t().dot(&centred);
    let total = covariance.diag().sum().max(f64::MIN_POSITIVE);
    let n = covariance.nrows();
    let mut points = Array2::zeros((rows.nrows(), 2));
    let mut shares = [0.0; 2];
    for (component, share) in shares.iter_mut().enumerate() {
        // Any start works unless it is orthogonal to the component.
        let mut direction: Array1<f64> = (0..n).map(|index| 1.0 + (index as f64 * 0.7).sin()).collect();
        let mut length = 0.0;
        for _ in 0..500 {
            let next = covariance.dot(&direction);
            length = next.dot(&next).sqrt();
            if length == 0.0 {
                break;
            }
            direction = next / length;
        }
        *share = length / total;
        points.column_mut(component).assign(&centred.dot(&direction));
        let outer = direction.view().insert_axis(Axis(1)).dot(&direction.view().insert_axis(Axis(0)));
        covariance -= &(outer * length);
    }
    Components { points, shares }
}

/// Returns positions for signs near their points, moved apart until no sign covers another.
fn apart(places: &[(i32, i32)]) -> Vec<(i32, i32)> {
    const DISTANCE: f64 = 25.0;
    let mut labels: Vec<(f64, f64)> = places.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).collect();
    for _ in 0..300 {
        for a in 0..labels.len() {
            for b in a + 1..labels.len() {
                let (dx, dy) = (labels[b].0 - labels[a].0, labels[b].1 - labels[a].1);
                let distance = dx.hypot(dy);
                if distance < DISTANCE {
                    // Signs at the same position separate in a direction that depends on their indices.
                    let angle = if distance > 1e-3 { dy.atan2(dx) } else { (a * 7 + b) as f64 };
                    let push = (DISTANCE - distance) / 2.0 + 0.05;
                    labels[a] = (labels[a].0 - push * angle.cos(), labels[a].1 - push * angle.sin());
                    labels[b] = (labels[b].0 + push * angle.cos(), labels[b].1 + push * angle.sin());
                }
            }
        }
    }
    labels.into_iter().map(|(x, y)| (x.round() as i32, y.round() as i32)).collect()
}

/// Draws the characters at their positions. Latin vowels have a colour of their own: they tend to be close together.
pub fn embedding(name: &str, model: &FoldedModel) -> Result<String, PlotError> {
    let Components { points, shares } = principal(&model.embedding);
    let axis = |axis: usize| {
        let values = points.column(axis);
        let (low, high) = values.iter().fold((-1e-6, 1e-6), |(low, high): (f64, f64), &v| (low.min(v), high.max(v)));
        let room = 0.08 * (high - low);
        low - room..high + room
    };
    draw("the embedding", (760, 760), |root| {
        let (head, rest) = root.split_vertically(40);
        let title = format!("{name}: embedding of the characters, first two principal components");
        head.draw(&Text::new(title, (16, 14), ("sans-serif", 17).into_font().color(&BLACK)))?;
        let mut chart = ChartBuilder::on(&rest)
            .margin_right(30)
            .margin_left(14)
            .x_label_area_size(48)
            .y_label_area_size(70)
            .build_cartesian_2d(axis(0), axis(1))?;
        let [first, second] = shares.map(|share| format!("{:.0} % of the variance", 100.0 * share));
        chart
            .configure_mesh()
            .max_light_lines(0)
            .bold_line_style(RGBColor(232, 232, 232))
            .axis_style(RGBColor(120, 120, 120))
            .label_style(("sans-serif", 13).into_font())
            .axis_desc_style(("sans-serif", 14).into_font())
            .x_label_formatter(&|value| format!("{value:.1}"))
            .y_label_formatter(&|value| format!("{value:.1}"))
            .x_desc(format!("component 1, {first}"))
            .y_desc(format!("component 2, {second}"))
            .draw()?;
        let centred = plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Center,
            plotters::style::text_anchor::VPos::Center,
        );
        let area = chart.plotting_area();
        let places: Vec<(i32, i32)> =
            points.rows().into_iter().map(|point| area.map_coordinate(&(point[0], point[1]))).collect();
        let labels = apart(&places);
        for (index, character) in model.vocab.chars().enumerate() {
            let hue = match index {
                0 => color(1),
                _ if "aeiouy".contains(character) => color(2),
                _ => color(0),
            };
            let (place, label) = (places[index], labels[index]);
            if (place.0 - label.0).abs() + (place.1 - label.1).abs() > 12 {
                root.draw(&PathElement::new(vec![place, label], hue.mix(0.6).stroke_width(1)))?;
                root.draw(&Circle::new(place, 2, hue.filled()))?;
            }
            root.draw(&Circle::new(label, 12, WHITE.filled()))?;
            root.draw(&Circle::new(label, 12, hue.mix(0.16).filled()))?;
            let style = ("sans-serif", 18).into_font().color(&hue).pos(centred);
            // A space would be invisible.
            let sign = if character.is_whitespace() { '\u{2423}' } else { character };
            root.draw(&Text::new(sign.to_string(), label, style))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn signs_do_not_cover_one_another() {
        let places: Vec<(i32, i32)> = (0..12).map(|index| (100 + index % 3, 100)).collect();
        let labels = apart(&places);
        for (index, a) in labels.iter().enumerate() {
            for b in &labels[..index] {
                assert!(f64::from(a.0 - b.0).hypot(f64::from(a.1 - b.1)) > 22.0, "{labels:?}");
            }
        }
        assert_eq!(apart(&[(0, 0), (50, 0)]), [(0, 0), (50, 0)]);
    }

    #[test]
    fn components_are_the_directions_of_the_data() {
        // Along (3, 4) / 5 with variance 100, across with variance 1, and a third direction with none.
        let rows: Array2<f32> = array![[6.0, 8.0, 5.0], [-6.0, -8.0, 5.0], [-0.8, 0.6, 5.0], [0.8, -0.6, 5.0]];
        let Components { points, shares } = principal(&rows);
        assert!((points[[0, 0]].abs() - 10.0).abs() < 1e-6 && (points[[2, 1]].abs() - 1.0).abs() < 1e-6, "{points}");
        assert!((shares[0] - 100.0 / 101.0).abs() < 1e-6 && (shares[1] - 1.0 / 101.0).abs() < 1e-6);
        // Equal rows have no components; the result must not be NaN.
        assert!(principal(&Array2::ones((3, 2))).points.iter().all(|value| *value == 0.0));
    }
}
