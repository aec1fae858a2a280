//! States to come back to, kept within a fixed memory by thinning.

/// Bytes that the keyframes of one run may take: at 256² with two fields of f64 it is 64 states.
const MAX_BYTES: usize = 64 << 20;
/// Most keyframes; a time slider is a few hundred pixels wide.
const MAX_COUNT: usize = 256;

/// States of a run by their position on its axis, in ascending order. The first one is always kept; when room runs out
/// every second of the others goes, and from then on only as many come in.
#[derive(Clone, Debug)]
pub struct Keyframes<S> {
    frames: Vec<(f64, S)>,
    bytes_each: usize,
    /// Every `stride`-th offered state is kept.
    stride: u64,
    offered: u64,
}

impl<S> Keyframes<S> {
    /// For states of `bytes_each` bytes; at least two are held however large they are.
    pub fn new(bytes_each: usize) -> Self {
        Self { frames: Vec::new(), bytes_each, stride: 1, offered: 0 }
    }

    /// Keeps the state made by `state` if its turn has come and the position is beyond the last one.
    pub fn offer(&mut self, position: f64, state: impl FnOnce() -> S) {
        let is_due = self.offered.is_multiple_of(self.stride);
        self.offered += 1;
        if !is_due || self.frames.last().is_some_and(|(last, _)| *last >= position) {
            return;
        }
        self.frames.push((position, state()));
        let room = (MAX_BYTES / self.bytes_each.max(1)).clamp(2, MAX_COUNT);
        if self.frames.len() > room {
            let mut index = 0;
            self.frames.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
    }

    pub fn positions(&self) -> Vec<f64> {
        self.frames.iter().map(|(position, _)| *position).collect()
    }

    /// The keyframe nearest to a position.
    pub fn nearest(&self, position: f64) -> Option<&(f64, S)> {
        self.frames.iter().min_by(|a, b| (a.0 - position).abs().total_cmp(&(b.0 - position).abs()))
    }

    /// Forgets what lies beyond a position: the run goes another way from there. Returns whether anything did.
    pub fn forget_after(&mut self, position: f64) -> bool {
        let before = self.frames.len();
        self.frames.retain(|(at, _)| *at <= position);
        self.frames.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_positions_stay_spread() {
        let mut frames = Keyframes::new(1 << 20);
        for n in 0..5000 {
            frames.offer(f64::from(n), || n);
        }
        let positions = frames.positions();
        assert!((32..=64).contains(&positions.len()), "{}", positions.len());
        assert_eq!(positions[0], 0.0);
        let gaps: Vec<f64> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap == gaps[0]), "{gaps:?}");
        assert_eq!(frames.nearest(-5.0), Some(&(0.0, 0)));
        assert_eq!(frames.nearest(gaps[0] * 1.4), Some(&(gaps[0], gaps[0] as i32)));
    }

    #[test]
    fn another_way_forgets_what_would_have_come() {
        let mut frames = Keyframes::new(8);
        for n in 0..10 {
            frames.offer(f64::from(n), || n);
        }
        assert!(!frames.forget_after(9.0));
        assert!(frames.forget_after(4.5));
        assert_eq!(frames.positions(), [0.0, 1.0, 2.0, 3.0, 4.0]);
        frames.offer(3.0, || 30);
        frames.offer(4.8, || 48);
        assert_eq!(frames.nearest(9.0), Some(&(4.8, 48)));
        assert_eq!(frames.nearest(3.0), Some(&(3.0, 3)));
    }

    #[test]
    fn huge_states_leave_two() {
        let mut frames = Keyframes::new(1 << 30);
        (0..9).for_each(|n| frames.offer(f64::from(n), || n));
        assert!(!frames.positions().is_empty() && frames.positions().len() <= 2);
    }
}
