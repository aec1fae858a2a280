use serde::Serialize;

/// How long a check takes on two slow cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// Seconds: part of every test run.
    Cheap,
    /// Up to some minutes: `--slow`.
    Slow,
}

/// One of the runs a claim compares: a name and the parameters that differ from the defaults, as a permalink query
/// (`"sampler=ddim&nfe=10"`). The seed is added by the check.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Arm {
    pub name: &'static str,
    pub setting: &'static str,
}

/// What a measured number must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "limit")]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    /// A NaN satisfies nothing.
    pub fn holds(&self, value: f64) -> bool {
        match *self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// One inequality of a claim: a number computed from the arms' metrics, and its bound.
#[derive(Clone, Copy)]
pub struct Test {
    /// What is measured, as it stands in the verdict bar.
    pub label: &'static str,
    pub measure: fn(&Measured) -> f64,
    pub bound: Bound,
    /// Unit or "×" for a ratio.
    pub unit: &'static str,
}

/// A setting under which the claim must NOT hold: `change` is added to every arm named in `arms` (all if empty).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Counter {
    /// Why the claim must fail here.
    pub why: &'static str,
    pub arms: &'static [&'static str],
    pub change: &'static str,
}

/// A checkable sentence.
#[derive(Clone, Copy)]
pub struct Claim {
    pub sentence: &'static str,
    pub arms: &'static [Arm],
    /// Each arm runs once per seed.
    pub seeds: &'static [u32],
    pub tests: &'static [Test],
    pub counter: Counter,
    pub cost: Cost,
}

/// Final metrics of every arm and seed of a claim.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    arm: String,
    seed: u32,
    metrics: Vec<(String, f64)>,
}

impl Measured {
    /// Adds the final metrics of one run.
    pub fn push(&mut self, arm: &str, seed: u32, metrics: Vec<(String, f64)>) {
        self.rows.push(Row { arm: arm.to_owned(), seed, metrics });
    }

    /// The metric of `arm` at each seed, in order. A run that diverged or has no such metric contributes NaN.
    pub fn values(&self, arm: &str, metric: &str) -> Vec<f64> {
        self.rows
            .iter()
            .filter(|r| r.arm == arm)
            .map(|r| r.metrics.iter().find(|(k, _)| k == metric).map_or(f64::NAN, |(_, v)| *v))
            .collect()
    }

    /// The smallest mean of the arms, such as one baseline trained in several ways; NaN if one of them is.
    pub fn best(&self, arms: &[&str], metric: &str) -> f64 {
        let means = arms.iter().map(|arm| self.mean(arm, metric));
        // A NaN must not be skipped as f64::min would.
        means.fold(f64::INFINITY, |best, mean| if mean < best || mean.is_nan() { mean } else { best })
    }

    /// Mean over the seeds; NaN if the arm was not run or any value is NaN.
    pub fn mean(&self, arm: &str, metric: &str) -> f64 {
        let v = self.values(arm, metric);
        v.iter().sum::<f64>() / v.len() as f64
    }

    /// Largest value over the seeds; NaN if the arm was not run or any value is NaN.
    pub fn max(&self, arm: &str, metric: &str) -> f64 {
        fold(&self.values(arm, metric), f64::max)
    }

    /// Smallest value over the seeds; NaN if the arm was not run or any value is NaN.
    pub fn min(&self, arm: &str, metric: &str) -> f64 {
        fold(&self.values(arm, metric), f64::min)
    }

    /// `mean(a, metric) / mean(b, metric)`.
    pub fn ratio(&self, a: &str, b: &str, metric: &str) -> f64 {
        self.mean(a, metric) / self.mean(b, metric)
    }
}

fn fold(values: &[f64], pick: fn(f64, f64) -> f64) -> f64 {
    // f64::max and min drop NaN; a claim must not.
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    values.iter().copied().reduce(pick).unwrap_or(f64::NAN)
}

/// One inequality, measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestResult {
    pub label: String,
    /// `None` when it could not be measured (an arm diverged).
    pub measured: Option<f64>,
    pub bound: Bound,
    pub unit: String,
    pub held: bool,
}

/// What a check of a claim measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub held: bool,
    pub tests: Vec<TestResult>,
    pub seeds: Vec<u32>,
    pub seconds: f64,
    pub device: String,
    /// Whether the claim held under its counter-setting, where it must not; `None` if that was not run.
    pub counter_held: Option<bool>,
}

impl Claim {
    /// Evaluates every test on what was measured.
    pub fn judge(&self, measured: &Measured) -> Vec<TestResult> {
        self.tests
            .iter()
            .map(|t| {
                let value = (t.measure)(measured);
                TestResult {
                    label: t.label.to_owned(),
                    measured: value.is_finite().then_some(value),
                    bound: t.bound,
                    unit: t.unit.to_owned(),
                    held: t.bound.holds(value),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_never_holds() {
        assert!(!Bound::AtMost(1.0).holds(f64::NAN));
        assert!(!Bound::AtLeast(1.0).holds(f64::NAN));
        let mut m = Measured::default();
        m.push("a", 1, vec![("e".into(), 1.0)]);
        m.push("a", 2, vec![]);
        assert!(m.mean("a", "e").is_nan() && m.max("a", "e").is_nan() && m.min("b", "e").is_nan());
    }

    #[test]
    fn judge_reports_each_test() {
        let claim = Claim {
            sentence: "a is half of b",
            arms: &[],
            seeds: &[1],
            tests: &[Test {
                label: "a / b",
                measure: |m| m.ratio("a", "b", "e"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            }],
            counter: Counter { why: "", arms: &[], change: "" },
            cost: Cost::Cheap,
        };
        let mut m = Measured::default();
        m.push("a", 1, vec![("e".into(), 1.0)]);
        m.push("b", 1, vec![("e".into(), 4.0)]);
        assert!(claim.judge(&m)[0].held);
        m.push("a", 2, vec![("e".into(), 9.0)]);
        m.push("b", 2, vec![("e".into(), 4.0)]);
        assert!(!claim.judge(&m)[0].held);
    }
}
