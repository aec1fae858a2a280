//! The last stretch of a line's history, as the rows of a space-time picture.

use std::collections::VecDeque;

/// Rows at equal distances in time; the oldest leave when the window is full.
pub struct History {
    rows: VecDeque<Vec<f32>>,
    /// Number of the first row held, counted from t = 0.
    first: u64,
    row_dt: f64,
}

/// Rows of a picture.
const ROWS: usize = 240;

impl History {
    /// A window of `window` time units.
    pub fn new(window: f64) -> Self {
        Self { rows: VecDeque::new(), first: 0, row_dt: window / ROWS as f64 }
    }

    /// Number of the last row that is due at time `t`.
    fn row_at(&self, t: f64) -> u64 {
        (t / self.row_dt * (1.0 + 1e-9)) as u64
    }

    /// Which of the coming times, counted from 1, are the first at which a row is due: those to [`History::push`].
    pub fn due(&self, times: impl Iterator<Item = f64>) -> Vec<u64> {
        let mut next = self.first + self.rows.len() as u64;
        let mut found = Vec::new();
        for (i, t) in times.enumerate() {
            let row = self.row_at(t);
            if row >= next {
                found.push(i as u64 + 1);
                next = row + 1;
            }
        }
        found
    }

    /// Adds the state at time `t`. Steps longer than a row fill several rows, shorter ones are skipped until the next row is
    /// due.
    pub fn push(&mut self, t: f64, values: &[f64]) {
        let due = self.row_at(t);
        let mut next = self.first + self.rows.len() as u64;
        if next + (ROWS as u64) < due {
            self.rows.clear();
            self.first = due;
            next = due;
        }
        while next <= due {
            let mut row = if self.rows.len() == ROWS {
                self.first += 1;
                self.rows.pop_front().unwrap_or_default()
            } else {
                Vec::new()
            };
            row.clear();
            row.extend(values.iter().map(|v| *v as f32));
            self.rows.push_back(row);
            next += 1;
        }
    }

    /// Rows of the picture (ROWS of them, those to come filled with `blank`) and the times at its lower and upper edge.
    pub fn picture(&self, nx: usize, blank: f32) -> (usize, Vec<f32>, (f64, f64)) {
        let mut data = Vec::with_capacity(nx * ROWS);
        for row in &self.rows {
            data.extend_from_slice(row);
        }
        data.resize(nx * ROWS, blank);
        let start = self.first as f64 * self.row_dt;
        (ROWS, data, (start, start + ROWS as f64 * self.row_dt))
    }

    /// Smallest and largest value held.
    pub fn range(&self) -> Option<(f64, f64)> {
        let mut values = self.rows.iter().flatten().map(|v| f64::from(*v));
        let first = values.next()?;
        Some(values.fold((first, first), |(lo, hi), v| (lo.min(v), hi.max(v))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_at_the_first_step_at_which_they_are_due() {
        // Rows of 0.1, steps of 0.03: due at 0.12, 0.21, 0.30, 0.42, …
        let mut h = History::new(24.0);
        h.push(0.0, &[0.0]);
        let time = |i: u64| 0.03 * i as f64;
        let all = h.due((1..=14).map(time));
        assert_eq!(all, [4, 7, 10, 14]);
        // However the steps are cut into calls.
        let mut done = 0;
        let mut found = Vec::new();
        for steps in [3, 1, 6, 4] {
            for i in h.due((1..=steps).map(|i| time(done + i))) {
                h.push(time(done + i), &[time(done + i)]);
                found.push(done + i);
            }
            done += steps;
        }
        assert_eq!(found, all);
        let (_, data, _) = h.picture(1, -1.0);
        let expected = [0.0, 0.12, 0.21, 0.30, 0.42, -1.0];
        assert!(data.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6), "{:?}", &data[..6]);
    }

    #[test]
    fn the_window_scrolls_and_long_steps_fill_rows() {
        let mut h = History::new(24.0);
        for i in 0..=600 {
            let t = 0.05 * f64::from(i);
            h.push(t, &[t, -t]);
        }
        let (ny, data, (low, high)) = h.picture(2, 7.0);
        assert_eq!((ny, data.len()), (240, 480));
        assert!((high - low - 24.0).abs() < 1e-12 && (high - 30.1).abs() < 1e-9, "{low} {high}");
        assert!((f64::from(data[0]) - low).abs() < 0.06 && (data[479] + 30.0).abs() < 1e-6);
        let mut sparse = History::new(24.0);
        sparse.push(0.0, &[1.0]);
        sparse.push(1.0, &[2.0]);
        let (_, data, _) = sparse.picture(1, 7.0);
        assert_eq!((data[0], data[1], data[10], data[11]), (1.0, 2.0, 2.0, 7.0));
        sparse.push(1e6, &[3.0]);
        assert_eq!(sparse.picture(1, 7.0).1[0], 3.0);
    }
}
