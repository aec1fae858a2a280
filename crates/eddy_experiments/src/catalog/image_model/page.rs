//! The run as the page sees it: progress, pictures and weights.

use super::*;

impl Pictures {
    fn curve_line(&self, of: impl Fn(&Quality) -> f64, name: &str) -> Series {
        let (xs, ys) = self.curve.iter().map(|(w, q)| (*w, of(q))).unzip();
        Series::line(name, Role::Result, xs, ys)
    }
}

impl Run for Pictures {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        Box::pin(self.advance_within(budget))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        Progress {
            steps: self.steps,
            position: self.steps as f64,
            fraction: if self.outcome.is_running() { (self.steps as f64 / self.whole()).min(1.0) } else { 1.0 },
            work: (self.taught() * BATCH) as f64 + (self.evaluations * u64::from(self.params.samples)) as f64,
            work_unit: "pictures",
        }
    }
    fn precision(&self) -> Option<Precision> {
        // Burn's back ends compute in single precision.
        Some(Precision::F32)
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let guidances = (CURVE[0], CURVE[CURVE.len() - 1]);
        let floor = self.reference.as_ref().map_or(f64::NAN, |(_, floor)| *floor);
        let level =
            |name: &str, y: f64| Series::line(name, Role::Reference, vec![guidances.0, guidances.1], vec![y, y]);
        ready(Ok(match key {
            "samples" => mosaic(&self.shown),
            "drawn" => mosaic(&self.drawn),
            "classes" => ViewData::Lines {
                series: vec![
                    self.curve_line(|q| q.share, "asked class"),
                    level("by chance", 1.0 / CLASSES.len() as f64),
                ],
                x: guidances,
                y: (0.0, 1.0),
            },
            "distance" => ViewData::Lines {
                series: vec![self.curve_line(|q| q.frechet, "samples"), level("drawn pictures", floor)],
                x: guidances,
                y: (0.1, 100.0),
            },
            "lessons" => {
                let (xs, ys) = self.losses.iter().copied().unzip();
                let end = self.losses.last().map_or(1.0, |(n, _)| *n);
                let series = vec![Series::line("training loss", Role::Result, xs, ys)];
                ViewData::Lines { series, x: (0.0, end.max(1.0)), y: (0.1, 1.0) }
            }
            _ => ViewData::Empty,
        }))
    }
    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        if let Some(params) = params.downcast_ref::<Params>() {
            self.params = params.clone();
            if let Some(training) = &mut self.training {
                training.set_learning_rate(params.rate);
            }
        }
        Ok(())
    }
    fn weights(&self) -> Vec<Tensor> {
        let tensor = |(name, shape, values): (String, [usize; 2], Vec<f32>)| Tensor {
            name,
            shape: shape.to_vec(),
            values: Numbers::F32(values),
        };
        self.model.named().into_iter().map(tensor).collect()
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        let named: Vec<_> = given
            .iter()
            .filter_map(|t| {
                let values = match &t.values {
                    Numbers::F32(values) => values.clone(),
                    Numbers::F64(values) => values.iter().map(|v| *v as f32).collect(),
                };
                Some((t.name.clone(), <[usize; 2]>::try_from(t.shape.as_slice()).ok()?, values))
            })
            .collect();
        self.model = Model::from_named(&named).map_err(|e| EddyError::new("weights", e.to_string()))?;
        // Everything from the start, with these weights; fine-tuning goes on from them.
        self.training = None;
        self.stage = Stage::Opening;
        self.outcome = Outcome::Running;
        self.teach_from_here()
    }
}
