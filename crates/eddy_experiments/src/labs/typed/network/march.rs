//! Window after window in time: each begins where the network of the one before ended (Krishnapriyan et al. 2021, section 4.2;
//! Wang, Sankaran, Perdikaris 2022, section 4).

use std::ops::Range;

use eddy_solve::Statement;
use eddy_spec::EddyError;

use super::{
    TypedNetwork,
    candidate::Candidate,
    integrals::tensor,
    reference::Reference,
    start::{Start, places},
};

/// Which window is trained.
pub(super) struct March {
    pub windows: usize,
    done: usize,
    /// Of a window, and the strictness that it begins with.
    length: f64,
    causality: f64,
    /// Rows of the reference in the window, and their points with times counted from its start.
    pub rows: Range<usize>,
    pub probes: Vec<f64>,
    /// By output: what is added to the network's there.
    pub bases: Vec<Vec<f64>>,
}

impl March {
    /// Shortens `statement` to the first of `windows`.
    /// Strictness of causal weights as given, whatever the optimizer makes of it.
    pub fn causality(&self) -> f64 {
        self.causality
    }

    pub fn new(statement: &mut Statement, windows: usize, causality: f64) -> Self {
        let windows = windows.max(1);
        let length = (statement.end - statement.start) / windows as f64;
        statement.end = statement.start + length;
        Self { windows, done: 0, length, causality, rows: 0..0, probes: Vec::new(), bases: Vec::new() }
    }

    /// Whether this problem can be marched through.
    pub fn check(&self, candidate: &Candidate, reference: &Reference, seeks: bool) -> Result<(), EddyError> {
        let why = if self.windows == 1 {
            return Ok(());
        } else if !candidate.has_time {
            "there is no time in these equations"
        } else if candidate.inputs > 3 {
            "the end of a window is kept over two axes at most"
        } else if seeks {
            "coefficients are found from the whole time at once"
        } else if self.windows >= reference.times.len() {
            "the reference has fewer moments than there are windows"
        } else {
            return Ok(());
        };
        Err(EddyError::start(format!("This takes one window: {why}.")).at("windows").repaired_by("windows", "1"))
    }

    /// From the start of the run to that of the window.
    pub fn offset(&self) -> f64 {
        self.done as f64 * self.length
    }
    /// First and last time of the whole run.
    pub fn span(&self, statement: &Statement) -> (f64, f64) {
        (statement.start, statement.start + self.windows as f64 * self.length)
    }

    /// Finds the rows of the window and what is known there.
    pub fn look(&mut self, statement: &Statement, candidate: &Candidate, reference: &Reference) {
        let (from, slack) = (statement.start + self.offset(), 1e-9 * self.length);
        // The first moment of a window is the last of the one before.
        let is_after = |t: f64| self.done == 0 || t > from + slack;
        let own = |t: f64| is_after(t) && t <= from + self.length + slack;
        let first = reference.times.iter().position(|t| own(*t)).unwrap_or(0);
        let last = if self.windows == 1 {
            reference.times.len()
        } else {
            reference.times.iter().rposition(|t| own(*t)).map_or(first, |k| k + 1)
        };
        self.rows = first..last;
        let each = candidate.inputs * reference.per_time();
        self.probes = reference.points[self.rows.start * each..self.rows.end * each].to_vec();
        if candidate.has_time {
            let offset = self.offset();
            self.probes.iter_mut().skip(candidate.inputs - 1).step_by(candidate.inputs).for_each(|t| *t -= offset);
        }
        self.bases = (0..candidate.outputs.len()).map(|o| candidate.base(o, [0; 3], 0, &self.probes)).collect();
    }
}

impl TypedNetwork {
    /// Goes on to the next window, which begins with what `parameters` say of the end of this one.
    pub(super) fn march_on(&mut self, parameters: &[f64]) {
        let axes = &self.statement.grid.axes;
        let mut points = tensor(&places(axes));
        points.iter_mut().for_each(|p| p.push(self.statement.end));
        let points = points.concat();
        let mut orders = vec![0; self.candidate.inputs];
        orders[self.candidate.inputs - 1] = 1;
        let velocity = self.values.derivatives().component(&orders);
        // Of each output with a time derivative its value, and its velocity where the equation is of second order.
        let parts = |order: u8| [(order > 0).then_some(0), velocity.filter(|_| order == 2)].into_iter().flatten();
        let ends: Vec<(usize, usize)> = (self.candidate.outputs.iter().enumerate())
            .flat_map(|(o, output)| parts(output.order).map(move |component| (o, component)))
            .collect();
        let mut found: Vec<Vec<f64>> = (ends.iter())
            .map(|(o, component)| self.candidate.base(*o, [0; 3], u8::from(*component != 0), &points))
            .collect();
        self.values.evaluate(parameters, &points, |tile| {
            for ((o, component), values) in ends.iter().zip(&mut found) {
                let own = &mut values[tile.start..][..tile.len];
                own.iter_mut().zip(tile.jet(*o, *component)).for_each(|(v, j)| *v += j);
            }
        });
        let mut starts: Vec<Vec<Start>> = vec![Vec::new(); self.candidate.outputs.len()];
        for ((o, _), values) in ends.iter().zip(&found) {
            starts[*o].push(Start::new(axes, values));
        }
        self.candidate.begin(starts);
        self.march.done += 1;
        self.training.causality = self.march.causality;
        self.march.look(&self.statement, &self.candidate, &self.reference);
        // Points of the window before know nothing of this one.
        self.points.clear();
        self.draw_all(self.step);
    }
}
