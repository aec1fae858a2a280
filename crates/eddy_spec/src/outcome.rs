use serde::Serialize;

/// How a run stands. Divergence is a result to show, not an error.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// It can advance further.
    Running,
    /// It reached its end.
    Finished,
    /// The numbers blew up at `step`; the last good state is kept and shown.
    Diverged {
        step: u64,
        /// The cause in one sentence ("the time step is 3.2 times the diffusive limit").
        cause: String,
        /// What to do about it.
        advice: String,
        /// One-click repair: parameter key and the value to set.
        repair: Option<(String, String)>,
    },
    /// It used all the steps it was allowed.
    StepLimit { steps: u64 },
    /// The user stopped it.
    Cancelled,
}

impl Outcome {
    /// Whether `advance` can do more work.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running)
    }
}
