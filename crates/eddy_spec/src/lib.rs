//! Eddy's vocabulary: parameters, settings and permalinks, metrics, views, claims, verdicts, outcomes, citations.
//!
//! Plain data shared by the solvers, the command line, the wasm boundary and the page. Depends on serde only.

mod citation;
mod claim;
mod drawing;
mod error;
mod macros;
mod metric;
mod outcome;
mod param;
mod setting;
mod view;

pub use citation::Citation;
pub use claim::{Arm, Bound, Claim, Cost, Counter, Measured, Test, TestResult, Verdict};
pub use drawing::Drawing;
pub use error::EddyError;
pub use metric::{Axis, Better, Metric, Scale};
pub use outcome::Outcome;
pub use param::{
    Effect, ParamError, ParamKind, ParamSpec, ParamTable, ParamType, choice, drawing, expression, log, range, seed,
    steps, toggle,
};
pub use setting::{Setting, SettingError, decode_component, encode_component};
pub use view::{ColorMap, Marker, Role, Series, ViewData, ViewKind, ViewSpec};

#[doc(hidden)]
pub mod private {
    pub use crate::param::{parse_checked, spec_for};
    pub use std::sync::OnceLock;
}
