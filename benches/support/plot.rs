//! Lines in a picture: an SVG whose text is text, so that no font is needed to draw it.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::text::three_digits;
use super::{Result, output};

/// Of every picture.
pub(super) const PIXELS: (u32, u32) = (1200, 540);
/// To its right, where no line is: the labels.
pub(super) const LABELS_AT: u32 = 920;
/// The height of a label's line, and the width of the colour in front of it.
const LABEL_PIXELS: (i32, i32) = (20, 18);
/// Ticks of an axis, at most; more would stand in each other's way.
const TICKS_MAX: usize = 8;
pub(super) const FONT: &str = "sans-serif";
/// Room beside the outermost points: a share of the axis, or on a logarithmic one of a power of ten.
const MARGIN: f64 = 0.05;

/// What is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
}

/// An axis. A logarithmic one shows only what is above zero; a linear one begins at zero.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What it is, and its unit.
    pub(crate) label: String,
    pub(crate) logarithmic: bool,
}

impl Axis {
    /// A linear axis from zero.
    pub(crate) fn linear(label: &str) -> Axis {
        Axis { label: label.to_owned(), logarithmic: false }
    }

    /// A logarithmic axis.
    pub(crate) fn logarithmic(label: &str) -> Axis {
        Axis { label: label.to_owned(), logarithmic: true }
    }
}

/// A line through points in the order they are given, each marked.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Plot {
    /// Draws it to `name`.svg where figures go, and says where that is.
    ///
    /// # Errors
    /// If there is no point to show, or the file cannot be written.
    pub(crate) fn write(&self, name: &str) -> Result<()> {
        let path = output::figure(&format!("{name}.svg"))?;
        let (x, y) = (self.range(&self.x, |point| point.0)?, self.range(&self.y, |point| point.1)?);
        match (self.x.logarithmic, self.y.logarithmic) {
            (false, false) => self.draw(&path, x, y),
            (true, false) => self.draw(&path, x.log_scale(), y),
            (false, true) => self.draw(&path, x, y.log_scale()),
            (true, true) => self.draw(&path, x.log_scale(), y.log_scale()),
        }?;
        println!("Drawn: {}", path.display());
        Ok(())
    }

    /// From the least to the greatest of what this axis can show, and a margin.
    fn range(&self, axis: &Axis, of: impl Fn(&(f64, f64)) -> f64) -> Result<Range<f64>> {
        let shown: Vec<f64> = self
            .lines
            .iter()
            .flat_map(|line| line.points.iter().map(&of))
            .filter(|value| value.is_finite() && (!axis.logarithmic || *value > 0.0))
            .collect();
        let least = shown.iter().copied().reduce(f64::min).ok_or("there is nothing to draw")?;
        let most = shown.iter().copied().fold(least, f64::max);
        Ok(if axis.logarithmic {
            let room = 10_f64.powf(MARGIN);
            least / room..most * room
        } else {
            let least = least.min(0.0);
            let room = if most > least { (most - least) * MARGIN } else { 1.0 };
            least..most + room
        })
    }

    fn draw<X, Y>(&self, path: &std::path::Path, x: X, y: Y) -> Result<()>
    where
        X: AsRangedCoord<Value = f64, CoordDescType: ValueFormatter<f64>>,
        Y: AsRangedCoord<Value = f64, CoordDescType: ValueFormatter<f64>>,
    {
        let root = SVGBackend::new(path, PIXELS).into_drawing_area();
        root.fill(&WHITE)?;
        let (area, labels) = root.split_horizontally(LABELS_AT);
        let mut chart = chart(&area, &self.title).build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE.mix(0.0))
            .label_style((FONT, 14))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_labels(TICKS_MAX)
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .draw()?;
        for (at, line) in self.lines.iter().enumerate() {
            let colour = Palette99::pick(at).to_rgba();
            let shown = |point: &&(f64, f64)| {
                let fits = |value: f64, axis: &Axis| value.is_finite() && (!axis.logarithmic || value > 0.0);
                fits(point.0, &self.x) && fits(point.1, &self.y)
            };
            let points: Vec<_> = line.points.iter().filter(shown).copied().collect();
            let marks = points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
            chart.draw_series(marks)?;
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        }
        draw_labels(&labels, self.lines.iter().map(|line| line.label.as_str()))?;
        root.present()?;
        Ok(())
    }
}

/// A chart below its title, with room for what stands beside its axes.
pub(super) fn chart<'a, 'b>(
    area: &'a DrawingArea<SVGBackend<'b>, Shift>,
    title: &str,
) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(area);
    chart.caption(title, (FONT, 20)).margin(16).x_label_area_size(48).y_label_area_size(72);
    chart
}

/// Labels one below the other, each behind the colour of its number.
pub(super) fn draw_labels<'a>(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    labels: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let (height, width) = LABEL_PIXELS;
    for (at, label) in labels.enumerate() {
        let top = 48 + height * i32::try_from(at)?;
        let colour = Palette99::pick(at).to_rgba();
        area.draw(&Rectangle::new([(0, top), (width, top + height / 2)], colour.filled()))?;
        area.draw(&Text::new(label.to_owned(), (width + 8, top - 2), (FONT, 14)))?;
    }
    Ok(())
}

/// A number beside an axis, as short as it is exact enough.
pub(super) fn tick(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if value < 1.0 {
        format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
    } else if value < 100.0 {
        format!("{value:.1}").trim_end_matches(".0").to_owned()
    } else {
        three_digits(value)
    }
}
