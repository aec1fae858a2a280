//! The run as the page sees it: progress, pictures and weights.

use super::*;

/// Height of a lane of the sound: no true wave reaches 2.5.
const LANE: f64 = 5.0;

impl WaveRun {
    fn spectrum(&self) -> ViewData {
        let xs: Vec<f64> = (0..BINS).map(|k| k as f64).collect();
        let decibels = |p: &[f64; BINS]| p.iter().map(|p| 10.0 * p.max(1e-6).log10()).collect::<Vec<f64>>();
        let mut series = vec![Series::line("exact", Role::Reference, xs.clone(), decibels(&self.exact[DRAWN]))];
        for (name, role, quality) in self.moments() {
            let steps = COUNTS[self.few()];
            let name = format!("{name}, {steps} steps");
            series.push(Series::line(name, role, xs.clone(), with_gaps(&decibels(&quality.drawn[self.few()]))));
        }
        let all = || series.iter().flat_map(|s| &s.ys).copied().filter(|y| y.is_finite());
        let y = (all().fold(-12.0, f64::min) - 1.0, all().fold(20.0, f64::max) + 1.0);
        ViewData::Lines { series, x: (0.0, (BINS - 1) as f64), y }
    }

    fn waves(&mut self) -> ViewData {
        let xs: Vec<f64> = (0..LEN).map(|n| n as f64).collect();
        let condition = self.tests[DRAWN];
        let truth = condition.draw(&Philox::new(self.params.seed), Stream::Control, (DRAWN * DRAWS) as u32);
        let steps = COUNTS[self.few()];
        let x = self.test_waves(DRAWN, DRAWN + 1, steps);
        let wave = |j: usize| with_gaps(&(0..LEN).map(|n| f64::from(x[n * DRAWS + j])).collect::<Vec<f64>>());
        let series = vec![
            Series::line("a true wave", Role::Reference, xs.clone(), truth.to_vec()),
            Series::line("generated", Role::Result, xs.clone(), wave(0)),
            Series::line("another", Role::Second, xs, wave(1)),
        ];
        let top = series.iter().flat_map(|s| &s.ys).filter(|y| y.is_finite()).fold(1.5, |m, y| y.abs().max(m));
        ViewData::Lines { series, x: (0.0, (LEN - 1) as f64), y: (-top, top) }
    }

    /// The melodies one above the other.
    fn sound(&self) -> ViewData {
        let end = self.melodies[0].len() as f64 / RATE;
        let names = ["true waves".to_owned(), format!("untuned, {} steps", COUNTS[self.few()]), "now".to_owned()];
        let is_tuned = self.step > self.params.steps;
        let lanes = names
            .into_iter()
            .zip([Role::Reference, Role::Second, Role::Result])
            .zip(&self.melodies)
            .zip([1.0, 0.0, -1.0]);
        let series = lanes
            .filter(|(((_, role), melody), _)| !melody.is_empty() && (*role != Role::Second || is_tuned))
            .map(|(((name, role), melody), lane)| {
                let xs = (0..melody.len()).map(|n| n as f64 / RATE).collect();
                Series::line(name, role, xs, with_gaps(&melody.iter().map(|x| x + LANE * lane).collect::<Vec<_>>()))
            })
            .collect();
        ViewData::Lines { series, x: (0.0, end), y: (-1.5 * LANE, 1.5 * LANE) }
    }

    fn race(&self) -> ViewData {
        let steps: Vec<f64> = COUNTS.iter().map(|c| *c as f64).collect();
        let line = |(name, role, q): (&str, Role, &Quality)| {
            Series::dotted(name, role, steps.clone(), with_gaps(&q.distances))
        };
        let mut series: Vec<Series> = self.moments().map(line).collect();
        let ends = (1.0, 16.0);
        series.push(Series::line("true waves", Role::Reference, vec![ends.0, ends.1], vec![self.floor; 2]));
        error_lines(series, ends, (0.5, 10.0))
    }
}

impl Run for WaveRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        budget.spend(|| self.outcome.is_running().then(|| self.work()));
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        Progress {
            steps: self.step.into(),
            position: self.step.into(),
            fraction: f64::from(self.step) / f64::from(self.all_steps()),
            work: f64::from(self.step) * f64::from(self.params.batch),
            work_unit: "waves",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F32)
    }
    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        ready(Ok(match key {
            "spectrum" => self.spectrum(),
            "waves" => self.waves(),
            "sound" => self.sound(),
            _ => self.race(),
        }))
    }
    fn weights(&self) -> Vec<Tensor> {
        tensors("", &self.average.architecture().named(), &self.average.parameters)
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        fill("", &self.network.architecture().named(), given, &mut self.network.parameters)?;
        self.average.parameters.copy_from_slice(&self.network.parameters);
        let (rate, steps) = if self.step < self.params.steps {
            (self.params.rate, self.params.steps)
        } else {
            (self.params.tuning_rate, self.params.more)
        };
        self.adam = optimizer(self.gradient.len(), rate, steps.into(), CLIP);
        Ok(())
    }
}
