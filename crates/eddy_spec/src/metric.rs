use serde::Serialize;

/// Scale of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    Linear,
    Log,
}

/// Which direction is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    Lower,
    Higher,
    Neither,
}

/// An axis: what is on it, its symbol (LaTeX without `$`), its unit and scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Axis {
    pub label: &'static str,
    pub symbol: &'static str,
    pub unit: &'static str,
    pub scale: Scale,
}

impl Axis {
    pub const fn linear(label: &'static str, symbol: &'static str) -> Self {
        Self { label, symbol, unit: "", scale: Scale::Linear }
    }
    pub const fn log(label: &'static str, symbol: &'static str) -> Self {
        Self { label, symbol, unit: "", scale: Scale::Log }
    }
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }
}

/// A number that a run measures while it advances.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Stable name used by claims, files and the command line.
    pub key: &'static str,
    /// Value axis: label, symbol, unit, scale.
    pub axis: Axis,
    pub better: Better,
    /// One sentence: what it is and how it is computed.
    pub doc: &'static str,
}

impl Metric {
    pub const fn new(key: &'static str, axis: Axis, better: Better, doc: &'static str) -> Self {
        Self { key, axis, better, doc }
    }
}
