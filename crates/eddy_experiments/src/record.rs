//! The history of a run's metrics.

/// Rows of metric values against the experiment's axis, kept within a fixed number of rows by thinning.
#[derive(Clone, Debug)]
pub struct Record {
    keys: Vec<&'static str>,
    x: Vec<f64>,
    rows: Vec<f64>,
    /// Every `stride`-th pushed row is kept.
    stride: u64,
    pushed: u64,
    latest: Vec<f64>,
    latest_x: f64,
}

/// Beyond this many rows every second one is dropped; a plot is about a thousand pixels wide.
const MAX_ROWS: usize = 2048;

impl Record {
    /// An empty record of the metrics with these keys.
    pub fn new(keys: impl IntoIterator<Item = &'static str>) -> Self {
        let keys: Vec<_> = keys.into_iter().collect();
        let latest = vec![f64::NAN; keys.len()];
        Self { keys, x: Vec::new(), rows: Vec::new(), stride: 1, pushed: 0, latest, latest_x: f64::NAN }
    }

    /// A record for the metrics of an experiment.
    pub fn of(metrics: &[eddy_spec::Metric]) -> Self {
        Self::new(metrics.iter().map(|m| m.key))
    }

    /// Adds the values at axis position `x`, one per metric; NaN where there is none yet.
    pub fn push(&mut self, x: f64, values: &[f64]) {
        debug_assert_eq!(values.len(), self.keys.len());
        self.latest.copy_from_slice(values);
        self.latest_x = x;
        if self.pushed.is_multiple_of(self.stride) {
            self.x.push(x);
            self.rows.extend_from_slice(values);
            if self.x.len() >= MAX_ROWS {
                self.thin();
            }
        }
        self.pushed += 1;
    }

    /// Takes back the rows beyond axis position `x`: the run goes another way from there.
    pub fn forget_after(&mut self, x: f64) {
        let kept = self.x.iter().take_while(|at| **at <= x).count();
        self.x.truncate(kept);
        self.rows.truncate(kept * self.keys.len());
        self.pushed = kept as u64 * self.stride;
        if let Some(last) = self.x.last() {
            self.latest_x = *last;
            self.latest.copy_from_slice(&self.rows[(kept - 1) * self.keys.len()..]);
        } else {
            self.latest_x = f64::NAN;
            self.latest.fill(f64::NAN);
        }
    }

    fn thin(&mut self) {
        let width = self.keys.len();
        let kept = self.x.len().div_ceil(2);
        for i in 0..kept {
            self.x[i] = self.x[2 * i];
            self.rows.copy_within(2 * i * width..(2 * i + 1) * width, i * width);
        }
        self.x.truncate(kept);
        self.rows.truncate(kept * width);
        self.stride *= 2;
    }

    pub fn keys(&self) -> &[&'static str] {
        &self.keys
    }
    /// Axis positions of the kept rows.
    pub fn x(&self) -> &[f64] {
        &self.x
    }
    /// Kept rows, `keys().len()` values each.
    pub fn rows(&self) -> &[f64] {
        &self.rows
    }
    /// The last pushed value of a metric; NaN before the first push or for an unknown key.
    pub fn latest(&self, key: &str) -> f64 {
        self.keys.iter().position(|k| *k == key).map_or(f64::NAN, |i| self.latest[i])
    }
    /// The last pushed row with its axis position.
    pub fn latest_row(&self) -> (f64, &[f64]) {
        (self.latest_x, &self.latest)
    }
    /// `(key, last value)` of every metric.
    pub fn latest_named(&self) -> Vec<(String, f64)> {
        self.keys.iter().zip(&self.latest).map(|(k, v)| ((*k).to_owned(), *v)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_bounds_the_rows_and_keeps_the_latest() {
        let mut r = Record::new(["a", "b"]);
        for i in 0..100_000 {
            r.push(f64::from(i), &[f64::from(i) * 2.0, f64::from(-i)]);
        }
        assert!(r.x().len() < MAX_ROWS && r.x().len() >= MAX_ROWS / 4, "{}", r.x().len());
        assert_eq!(r.rows().len(), 2 * r.x().len());
        for (x, row) in r.x().iter().zip(r.rows().chunks(2)) {
            assert_eq!((row[0], row[1]), (2.0 * x, -x));
        }
        let gap = r.x()[1] - r.x()[0];
        assert!(r.x().windows(2).all(|w| w[1] - w[0] == gap), "rows stay evenly spaced");
        assert_eq!(r.latest("b"), -99_999.0);
        assert!(r.latest("c").is_nan());
    }
}
