//! Stacked bars in a picture: what parts make up a whole, side by side for several wholes.

use plotters::prelude::*;

use super::plot::{FONT, LABELS_AT, PIXELS, chart, draw_labels, tick};
use super::{Result, output};

/// Share of its place that a bar takes.
const WIDTH: f64 = 0.6;

/// What is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    pub(crate) title: String,
    /// What the height is, and its unit.
    pub(crate) y: String,
    /// Below the bars, from the left.
    pub(crate) names: Vec<String>,
    /// From the bottom of each bar: a label, and a height for every bar.
    pub(crate) layers: Vec<(String, Vec<f64>)>,
}

impl Bars {
    /// Draws it to `name`.svg where figures go, and says where that is.
    ///
    /// # Errors
    /// If there is no bar to show, or the file cannot be written.
    pub(crate) fn write(&self, name: &str) -> Result<()> {
        let height = |bar: usize| self.layers.iter().filter_map(|(_, heights)| heights.get(bar)).sum::<f64>();
        let most = (0..self.names.len()).map(height).reduce(f64::max).ok_or("there is nothing to draw")?;
        let path = output::figure(&format!("{name}.svg"))?;
        let root = SVGBackend::new(&path, PIXELS).into_drawing_area();
        root.fill(&WHITE)?;
        let places = self.names.len() as f64;
        let (area, labels) = root.split_horizontally(LABELS_AT);
        let mut chart = chart(&area, &self.title).build_cartesian_2d(-0.5..places - 0.5, 0.0..most * 1.05)?;
        let named = |place: &f64| {
            let at = (0..self.names.len()).find(|at| (*at as f64 - place).abs() < 1e-9);
            at.map_or_else(String::new, |at| self.names[at].clone())
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE.mix(0.0))
            .label_style((FONT, 14))
            .x_labels(2 * self.names.len() + 2)
            .x_label_formatter(&named)
            .y_label_formatter(&|value| tick(*value))
            .y_desc(&self.y)
            .draw()?;
        let mut bottoms = vec![0.0; self.names.len()];
        for (at, (_, heights)) in self.layers.iter().enumerate() {
            let colour = Palette99::pick(at).to_rgba();
            let mut pieces = Vec::new();
            for (bar, (bottom, height)) in bottoms.iter_mut().zip(heights).enumerate() {
                let (middle, top) = (bar as f64, *bottom + height);
                let corners = [(middle - WIDTH / 2.0, *bottom), (middle + WIDTH / 2.0, top)];
                pieces.push(Rectangle::new(corners, colour.filled()));
                *bottom = top;
            }
            chart.draw_series(pieces)?;
        }
        draw_labels(&labels, self.layers.iter().map(|(label, _)| label.as_str()))?;
        root.present()?;
        println!("Drawn: {}", path.display());
        Ok(())
    }
}
