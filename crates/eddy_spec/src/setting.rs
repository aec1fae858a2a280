use std::fmt;

use crate::{ParamError, ParamTable};

/// An experiment and the parameters that differ from its defaults; its text form is the permalink.
///
/// Grammar: `id` or `id?key=value&key=value…`. Values are percent-encoded. The key `v` is the version of the codec;
/// version 1 is meant when it is absent, so that links stay short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub id: String,
    /// In the order given; a key stands at most once.
    pub values: Vec<(String, String)>,
}

/// Version written and read by this codec.
const VERSION: &str = "1";

/// A permalink that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// No experiment id in front of the `?`, or one with characters other than a-z, 0-9 and `-`.
    Id { text: String },
    /// A part without `=`, a repeated key, or broken percent-encoding.
    Malformed { part: String, why: &'static str },
    /// Written by a later Eddy.
    Version { version: String },
    /// Longer than 8,000 characters.
    TooLong { length: usize },
}

impl SettingError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Id { .. } => "permalink-id",
            Self::Malformed { .. } => "permalink-malformed",
            Self::Version { .. } => "permalink-version",
            Self::TooLong { .. } => "permalink-length",
        }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id { text } => {
                write!(
                    f,
                    "A link starts with the name of an experiment, such as “deis?evaluations=10”; this one starts with “{text}”."
                )
            }
            Self::Malformed { part, why } => write!(f, "The link has a part that cannot be read ({why}): “{part}”."),
            Self::Version { version } => {
                write!(
                    f,
                    "This link was made by a later version of Eddy (format {version}; this page reads format {VERSION}). Reload the page."
                )
            }
            Self::TooLong { length } => write!(f, "The link has {length} characters; at most {MAX_LEN} are read."),
        }
    }
}

impl std::error::Error for SettingError {}

const MAX_LEN: usize = 8000;

impl Setting {
    /// The experiment with its defaults.
    pub fn defaults(id: impl Into<String>) -> Self {
        Self { id: id.into(), values: Vec::new() }
    }

    /// The setting that `params` of experiment `id` is.
    pub fn of<P: ParamTable>(id: &str, params: &P) -> Self {
        Self { id: id.to_owned(), values: params.differences() }
    }

    /// Reads a permalink. Whether keys and values fit the experiment is checked by [`Setting::apply`].
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        if text.len() > MAX_LEN {
            return Err(SettingError::TooLong { length: text.len() });
        }
        let (id, query) = text.split_once('?').unwrap_or((text, ""));
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(SettingError::Id { text: shorten(id) });
        }
        Ok(Self { id: id.to_owned(), values: Self::parse_query(query)? })
    }

    /// Reads the part after the `?`.
    pub fn parse_query(query: &str) -> Result<Vec<(String, String)>, SettingError> {
        let mut values: Vec<(String, String)> = Vec::new();
        for part in query.split('&').filter(|p| !p.is_empty()) {
            let malformed = |why| SettingError::Malformed { part: shorten(part), why };
            let (key, value) = part.split_once('=').ok_or_else(|| malformed("it has no “=”"))?;
            let key = decode_component(key).ok_or_else(|| malformed("broken percent-encoding"))?;
            let value = decode_component(value).ok_or_else(|| malformed("broken percent-encoding"))?;
            if key == "v" {
                if value != VERSION {
                    return Err(SettingError::Version { version: shorten(&value) });
                }
                continue;
            }
            if values.iter().any(|(k, _)| *k == key) {
                return Err(malformed("the key stands twice"));
            }
            values.push((key, value));
        }
        Ok(values)
    }

    /// Sets the values on `params`. All of them are tried: the ones that fit are applied, the errors of the others are
    /// returned, so that one bad key does not cost the user the rest of a link.
    pub fn apply<P: ParamTable>(&self, params: &mut P) -> Vec<ParamError> {
        self.values.iter().filter_map(|(k, v)| params.set(k, v).err()).collect()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        for (i, (k, v)) in self.values.iter().enumerate() {
            let separator = if i == 0 { '?' } else { '&' };
            write!(f, "{separator}{}={}", encode_component(k), encode_component(v))?;
        }
        Ok(())
    }
}

/// Percent-encodes what may not stand in a query value. Characters common in formulas that are legal in the fragment and
/// query parts of a URL stay readable.
pub fn encode_component(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.~*()!'/:,;@".contains(&b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// Reads percent-encoding; `+` stays a plus. `None` if it is broken or not UTF-8.
pub fn decode_component(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'%' {
            let hex = text.get(i + 1..i + 3)?;
            out.push(u8::from_str_radix(hex, 16).ok().filter(|_| hex.bytes().all(|b| b.is_ascii_hexdigit()))?);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8(out).ok()
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(59).chain(['…']).collect() }
}
