use std::fmt;

use serde::Serialize;

use crate::{ParamError, SettingError};

/// Something the user can fix. The message says what happened and what to do; variable data comes last.
///
/// `code` is stable and never shown to a user; `key` names the parameter the error belongs to, if any, so that the page
/// can show it at that control.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EddyError {
    /// Stable identifier such as `parameter-range`.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
    /// The parameter this belongs to.
    pub key: Option<String>,
    /// One-click repair: parameter key and the value to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<(String, String)>,
}

impl EddyError {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), key: None, repair: None }
    }

    /// A setting from which no run can start (for example two parameters that contradict each other).
    pub fn start(message: impl Into<String>) -> Self {
        Self::new("start", message)
    }

    /// A GPU error; the page offers to run on the CPU.
    pub fn gpu(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, message)
    }

    /// A defect of ours, with the request to report it.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(
            "internal",
            format!("{} This is a defect of Eddy: please report it with the link of this page.", message.into()),
        )
    }

    /// The same error, shown at the control of parameter `key`.
    pub fn at(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same error, with a value of a parameter that repairs it.
    pub fn repaired_by(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.repair = Some((key.into(), value.into()));
        self
    }
}

impl fmt::Display for EddyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EddyError {}

impl From<ParamError> for EddyError {
    fn from(e: ParamError) -> Self {
        let key = e.key().to_owned();
        Self::new(e.code(), e.to_string()).at(key)
    }
}

impl From<SettingError> for EddyError {
    fn from(e: SettingError) -> Self {
        Self::new(e.code(), e.to_string())
    }
}
