//! What repetitions come to: the median, and how far they lie apart.

use serde::Serialize;

/// Figures of one thing measured several times.
#[derive(Clone, Copy, Serialize, Debug)]
pub(crate) struct Samples {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) count: usize,
}

impl Samples {
    /// Sums up; panics without any sample. Of an even number the median is the mean of the two in the middle.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Samples {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let median = f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2]);
        Samples { median, least: sorted[0], most: sorted[count - 1], count }
    }

    /// Half the distance between least and most, in parts of the median: 0.05 is plus or minus 5 %.
    pub(crate) fn spread(&self) -> f64 {
        (self.most - self.least) / 2.0 / self.median
    }

    /// The spread as it is printed.
    pub(crate) fn plus_minus(&self) -> String {
        format!("+-{:.0}%", 100.0 * self.spread())
    }

    /// Each figure changed alike, as from nanoseconds to bytes a second. Least and most change places where a
    /// greater figure becomes a smaller one.
    pub(crate) fn map(&self, of: impl Fn(f64) -> f64) -> Samples {
        let (a, b) = (of(self.least), of(self.most));
        Samples { median: of(self.median), least: a.min(b), most: a.max(b), count: self.count }
    }
}
