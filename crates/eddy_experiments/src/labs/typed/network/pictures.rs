//! What is drawn of a network in training.

use eddy_nets::graph::{Derivatives, GraphEngine};
use eddy_spec::{Role, Series, ViewData};

use super::{Architecture, Sought, TypedNetwork, candidate::neurons, mean, points::Buffers, reads::bases};
use crate::labs::pinn::{
    insight::{by_weight, neurons_view},
    residual_view, weights_view,
};

const ROLES: [Role; 3] = [Role::Result, Role::Second, Role::Third];

impl TypedNetwork {
    pub(super) fn picture(&mut self, key: &str) -> ViewData {
        match key {
            "profile" if self.statement.grid.dimension() == 0 => self.in_time(),
            "profile" => self.profile(),
            "solution" | "reference" | "difference" => self.plane(key),
            "left" => {
                let parameters = self.insight.parameters().to_vec();
                if !parameters.is_empty() {
                    self.look_everywhere(&parameters);
                }
                self.plane(key)
            }
            "points" => self.where_points_are(),
            "residual" => residual_view(&self.weigher, u64::from(self.is_measured())),
            "weights" => weights_view(&self.weigher),
            "spectrum" => self.error_spectrum(),
            "kernel" => self.kernel_spectrum(),
            "gradients" => self.gradient_norms(),
            "neurons" => self.neurons(),
            "coefficients" => self.coefficients_so_far(),
            _ => ViewData::Empty,
        }
    }

    /// Takes down what the equations leave at the points of the reference, of this window.
    pub(super) fn look_everywhere(&mut self, parameters: &[f64]) {
        self.put_coefficients(parameters);
        let offset = self.march.offset();
        let Self { kernel, residuals, sources, engine, statement, candidate, march, left, .. } = self;
        let known = bases(&residuals.reads, sources, statement, candidate, &march.probes, offset);
        let (dimension, mut buffers) = (statement.grid.dimension(), Buffers::new(residuals));
        let first = march.rows.start * self.reference.per_time();
        engine.evaluate(parameters, &march.probes, |tile| {
            let is_known = buffers.run(kernel, sources, &known, 0, dimension, tile);
            for ((variable, part), values) in residuals.fields.iter().zip(&buffers.outputs) {
                let Some(output) = candidate.output(*variable, *part).filter(|_| is_known) else { continue };
                left[output][first + tile.start..][..tile.len].copy_from_slice(values);
            }
        });
    }

    fn is_measured(&self) -> bool {
        self.weigher.mean() > 0.0
    }

    /// The output that is shown.
    pub(super) fn shown(&self) -> usize {
        let name = self.training.shown.trim();
        self.candidate.outputs.iter().position(|o| o.name == name || o.name.ends_with(&format!(" {name}"))).unwrap_or(0)
    }

    /// Limits that hold all of the numbers, never empty.
    fn limits<'a>(numbers: impl Iterator<Item = &'a f64>) -> (f64, f64) {
        let (low, high) =
            numbers.filter(|v| v.is_finite()).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        if low > high {
            return (-1.0, 1.0);
        }
        let margin = (0.05 * (high - low)).max(1e-9 * (1.0 + high.abs()));
        (low - margin, high + margin)
    }

    fn in_time(&self) -> ViewData {
        let times = &self.reference.times;
        let mut series = Vec::new();
        let shown: Vec<usize> = (0..self.candidate.outputs.len().min(3)).collect();
        for o in &shown {
            let name = format!("{}, reference", self.candidate.outputs[*o].name);
            series.push(Series::line(name, Role::Reference, times.clone(), self.reference.values[*o].clone()));
        }
        for (o, role) in shown.iter().zip(ROLES) {
            let name = self.candidate.outputs[*o].name.clone();
            series.push(Series::line(name, role, times.clone(), self.solution[*o].clone()));
        }
        let y = Self::limits(shown.iter().flat_map(|o| &self.reference.values[*o]));
        ViewData::Lines { series, x: self.march.span(&self.statement), y }
    }

    /// Along x through the middle, at a third, two thirds and the end of the time.
    fn profile(&self) -> ViewData {
        let (o, xs) = (self.shown(), &self.reference.axes[0]);
        let per = self.reference.per_time();
        let rows = self.reference.times.len();
        let rows: Vec<usize> = if rows == 1 { vec![0] } else { vec![rows / 3, 2 * rows / 3, rows - 1] };
        let middle = |axis: usize| self.reference.axes.get(axis).map_or(0, |a| a.len() / 2);
        let [nx, ny] = [0, 1].map(|axis| self.reference.axes.get(axis).map_or(1, Vec::len));
        let at = |values: &[f64], row: usize| -> Vec<f64> {
            values[row * per + (middle(2) * ny + middle(1)) * nx..][..nx].to_vec()
        };
        let mut series = Vec::new();
        let name = |row: usize| match self.candidate.has_time {
            true => format!("t = {:.3}", self.reference.times[row]),
            false => self.candidate.outputs[o].name.clone(),
        };
        for row in &rows {
            let known = self.reference.error.map_or(String::new(), |e| format!(" (to {e:.0e})"));
            let name = format!("{}, reference{known}", name(*row));
            series.push(Series::line(name, Role::Reference, xs.clone(), at(&self.reference.values[o], *row)));
        }
        for (row, role) in rows.iter().zip(ROLES.iter().rev().skip(3 - rows.len())) {
            series.push(Series::line(name(*row), *role, xs.clone(), at(&self.solution[o], *row)));
        }
        let axis = &self.statement.grid.axes[0];
        ViewData::Lines { series, x: (axis.min, axis.max), y: Self::limits(self.reference.values[o].iter()) }
    }

    /// Over x and t in one dimension, else over x and y at the end (and in the middle of z); without space over t, a row
    /// for each field.
    fn plane(&self, key: &str) -> ViewData {
        let (shown, axes) = (self.shown(), &self.statement.grid.axes);
        let span = self.march.span(&self.statement);
        let drawn = if key == "left" { &self.left } else { &self.solution };
        let (theirs, own) = match axes.len() {
            0 => (self.reference.values.concat(), drawn.concat()),
            _ => (self.reference.values[shown].clone(), drawn[shown].clone()),
        };
        let (nx, x) = match axes.first() {
            Some(axis) => (self.reference.axes[0].len(), (axis.min, axis.max)),
            None => (self.reference.times.len(), span),
        };
        let (first, ny, y) = match axes.get(1) {
            Some(axis) => {
                let ny = self.reference.axes[1].len();
                let slice = self.reference.axes.get(2).map_or(0, |z| z.len() / 2);
                let last = (self.reference.times.len() - 1) * self.reference.per_time();
                (last + slice * nx * ny, ny, (axis.min, axis.max))
            }
            None if axes.is_empty() => (0, self.candidate.outputs.len(), (0.0, self.candidate.outputs.len() as f64)),
            None if self.candidate.has_time => (0, self.reference.times.len(), span),
            None => (0, 1, (0.0, 1.0)),
        };
        let there = first..first + nx * ny;
        let (theirs, own) = (&theirs[there.clone()], &own[there]);
        let gaps: Vec<f64> = own.iter().zip(theirs).map(|(a, b)| a - b).collect();
        let (shown, range) = match key {
            "reference" => (theirs, Self::limits(theirs.iter())),
            "solution" => (own, Self::limits(theirs.iter())),
            _ => {
                let values = if key == "left" { own } else { &gaps[..] };
                let size = values.iter().fold(1e-12, |m: f64, g| m.max(g.abs()));
                (values, (-size, size))
            }
        };
        ViewData::Field { nx, ny, data: shown.iter().map(|v| *v as f32).collect(), x, y, range }
    }

    /// The points of the last step, coloured by the logarithm of the squared residual.
    fn where_points_are(&self) -> ViewData {
        let (axes, statement) = (&self.statement.grid.axes, &self.statement);
        let span = self.march.span(statement);
        let x = axes.first().map_or(span, |axis| (axis.min, axis.max));
        let y =
            axes.get(1).map_or(if self.candidate.inputs > 1 { span } else { (-1.0, 1.0) }, |axis| (axis.min, axis.max));
        let (offset, last) = (self.march.offset(), self.candidate.inputs - 1);
        let at = |point: &[f64], i: usize| {
            let shift = if i == last && self.candidate.has_time { offset } else { 0.0 };
            point.get(i).map_or(0.0, |v| v + shift) as f32
        };
        let place = |point: &[f64]| [at(point, 0), at(point, 1)];
        let positions = self.points.chunks_exact(self.candidate.inputs).flat_map(place).collect();
        // Before the first step no residual is known.
        let values: Vec<f32> = self.squares.iter().map(|r| r.max(1e-20).log10() as f32).collect();
        let values = if values.is_empty() { vec![0.0; self.points.len() / self.candidate.inputs] } else { values };
        let numbers: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
        ViewData::Points {
            positions,
            range: Self::limits(numbers.iter()),
            values,
            trails: Vec::new(),
            trail_len: 0,
            backdrop: None,
            x,
            y,
        }
    }

    /// What each unit of a hidden layer answers along x, through the middle and at half time (without space: along the time), the
    /// unit with the largest weights on top.
    fn neurons(&mut self) -> ViewData {
        const PLACES: usize = 129;
        let (statement, whole) = (&self.statement, self.training.architecture);
        // The layers below are the same network with fewer layers, whose weights come first.
        let layer = Some(self.training.shown_layer).filter(|layer| *layer > 0 && !whole.is_in_parts());
        let architecture =
            Architecture { layers: layer.map_or(whole.layers, |layer| layer.min(whole.layers)), ..whole };
        let width = architecture.units();
        let (inputs, has_time) = (self.candidate.inputs, self.candidate.has_time);
        let graph = neurons(statement, inputs, has_time, architecture);
        let parameters = self.insight.parameters();
        let engine = Derivatives::all(inputs, 0).and_then(|values| GraphEngine::<f64>::new(&graph, &values));
        let (Ok(mut engine), Some(own)) = (engine, parameters.get(..graph.parameters())) else {
            return ViewData::Empty;
        };
        let axes = &statement.grid.axes;
        let span = axes.first().map_or((statement.start, statement.end), |axis| (axis.min, axis.max));
        let points: Vec<f64> = (0..PLACES)
            .flat_map(|i| {
                let at = span.0 + (span.1 - span.0) * i as f64 / (PLACES - 1) as f64;
                let middle = |axis: &eddy_solve::grid::Axis| 0.5 * (axis.min + axis.max);
                let rest = axes.iter().skip(1).map(middle);
                let time = (has_time && !axes.is_empty()).then_some(0.5 * (statement.start + statement.end));
                std::iter::once(at).chain(rest).chain(time).collect::<Vec<_>>()
            })
            .collect();
        // The weights that read the units follow those of the hidden layers, [output][unit].
        let is_last = architecture.layers == whole.layers;
        let solved = if is_last { self.candidate.outputs.len() - self.free().count() } else { width };
        let reads = parameters.get(graph.parameters()..).unwrap_or_default();
        let order = by_weight(reads.get(..solved * width).unwrap_or(reads), width);
        let mut data = vec![0.0; PLACES * width];
        engine.evaluate(own, &points, |tile| {
            for (row, unit) in order.iter().enumerate() {
                for (i, value) in tile.jet(*unit, 0).iter().enumerate() {
                    data[row * PLACES + tile.start + i] = *value as f32;
                }
            }
        });
        neurons_view(data, PLACES, span)
    }

    fn coefficients_so_far(&self) -> ViewData {
        if self.training.sought.is_empty() {
            let series = vec![Series::line("none are looked for", Role::Result, Vec::new(), Vec::new())];
            return ViewData::Lines { series, x: (0.0, 1.0), y: (0.0, 1.0) };
        }
        let steps: Vec<f64> = self.history.iter().map(|row| row.0).collect();
        let end = steps.last().copied().unwrap_or(1.0).max(1.0);
        let mut series = Vec::new();
        let number = |one: &Sought| {
            let name = self.statement.system.parameters[one.parameter].name.clone();
            (name, self.statement.parameters[one.parameter])
        };
        let field = |o: usize| (format!("mean of {}", self.candidate.outputs[o].name), mean(&self.reference.values[o]));
        for (n, (name, truth)) in self.sought.iter().map(number).chain(self.free().map(field)).enumerate() {
            let found: Vec<f64> = self.history.iter().map(|row| row.1[n]).collect();
            let last = found.last().map_or(String::new(), |v| format!(" = {v:.5}"));
            let known = format!("{name}, reference: {truth:.5}");
            series.push(Series::line(known, Role::Reference, vec![0.0, end], vec![truth; 2]));
            series.push(Series::line(format!("{name}{last}"), ROLES[n.min(2)], steps.clone(), found));
        }
        let y = Self::limits(series.iter().flat_map(|s| &s.ys));
        ViewData::Lines { series, x: (0.0, end), y }
    }
}
