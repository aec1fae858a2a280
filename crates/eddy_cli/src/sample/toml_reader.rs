//! Reading a TOML file key by key: every value is checked for its type, and a key that nothing read is an error.

use std::cell::RefCell;

use eddy_experiments::spec::EddyError;
use toml::{Table, Value};

/// One table of the file.
pub struct Section<'a> {
    name: &'a str,
    table: &'a Table,
    read: RefCell<Vec<String>>,
}

/// An error about a key.
pub fn refused(key: &str, what: impl std::fmt::Display) -> EddyError {
    EddyError::new("spec", format!("{key}: {what}"))
}

/// A name in small letters with hyphens.
pub fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

impl<'a> Section<'a> {
    pub fn new(name: &'a str, table: &'a Table) -> Self {
        Self { name, table, read: RefCell::new(Vec::new()) }
    }
    /// The full name of a key, as errors show it.
    pub fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) }
    }
    pub fn refused(&self, key: &str, what: impl std::fmt::Display) -> EddyError {
        refused(&self.path(key), what)
    }
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.read.borrow_mut().push(key.into());
        self.table.get(key)
    }
    fn wanted(&self, key: &str, wanted: &str, value: &Value) -> EddyError {
        self.refused(key, format!("this must be {wanted}, not {}", kind(value)))
    }
    /// A sub-table; an empty one if it is absent.
    pub fn table(&self, key: &'a str) -> Result<Option<Section<'a>>, EddyError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Table(t)) => Ok(Some(Section::new(key, t))),
            Some(other) => Err(self.wanted(key, &format!("a table: write [{key}]"), other)),
        }
    }
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, EddyError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s)),
            Some(other) => Err(self.wanted(key, "a text in quotes", other)),
        }
    }
    pub fn number(&self, key: &str) -> Result<Option<f64>, EddyError> {
        self.value(key).map(|v| self.number_of(key, v)).transpose()
    }
    fn number_of(&self, key: &str, value: &Value) -> Result<f64, EddyError> {
        let number = match value {
            Value::Float(v) => *v,
            Value::Integer(v) => *v as f64,
            other => return Err(self.wanted(key, "a number", other)),
        };
        if number.is_finite() { Ok(number) } else { Err(self.refused(key, "this must be a finite number")) }
    }
    /// A number that may be infinite.
    pub fn unbounded(&self, key: &str) -> Result<Option<f64>, EddyError> {
        match self.table.get(key) {
            Some(Value::Float(v)) if *v == f64::INFINITY => {
                self.read.borrow_mut().push(key.into());
                Ok(Some(*v))
            }
            _ => self.number(key),
        }
    }
    /// A number above 0.
    pub fn positive(&self, key: &str) -> Result<Option<f64>, EddyError> {
        match self.number(key)? {
            Some(v) if v <= 0.0 => Err(self.refused(key, format!("this must be above 0, not {v}"))),
            other => Ok(other),
        }
    }
    /// A whole number from `low` to `high`.
    pub fn whole(&self, key: &str, low: i64, high: i64) -> Result<Option<i64>, EddyError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Integer(v)) if (low..=high).contains(v) => Ok(Some(*v)),
            Some(Value::Integer(v)) => {
                Err(self.refused(key, format!("this must lie between {low} and {high}, not {v}")))
            }
            Some(other) => Err(self.wanted(key, "a whole number", other)),
        }
    }
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, EddyError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Boolean(v)) => Ok(Some(*v)),
            Some(other) => Err(self.wanted(key, "true or false", other)),
        }
    }
    pub fn list(&self, key: &str) -> Result<Option<&'a [Value]>, EddyError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(v)) => Ok(Some(v)),
            Some(other) => Err(self.wanted(key, "a list", other)),
        }
    }
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, EddyError> {
        self.list(key)?.map(|list| self.numbers_of(key, list)).transpose()
    }
    /// The numbers of a list that belongs to `key`.
    pub fn numbers_of(&self, key: &str, list: &[Value]) -> Result<Vec<f64>, EddyError> {
        list.iter().enumerate().map(|(i, v)| self.number_of(&format!("{key}[{i}]"), v)).collect()
    }
    /// One of `names`; the first if the key is absent.
    pub fn choice(&self, key: &str, names: &[&'static str]) -> Result<&'static str, EddyError> {
        self.choice_or(key, names, &[])
    }
    /// The same, where some of them have other names too.
    pub fn choice_or(
        &self,
        key: &str,
        names: &[&'static str],
        others: &[(&str, &'static str)],
    ) -> Result<&'static str, EddyError> {
        let Some(text) = self.text(key)? else { return Ok(names[0]) };
        let written = plain(text);
        names
            .iter()
            .copied()
            .find(|n| *n == written)
            .or_else(|| others.iter().find(|(other, _)| *other == written).map(|(_, n)| *n))
            .ok_or_else(|| self.refused(key, format!("there is no `{text}`; choose {}", names.join(", "))))
    }
    /// An error if the file has a key that was not read.
    pub fn finish(&self) -> Result<(), EddyError> {
        let read = self.read.borrow();
        match self.table.keys().find(|k| !read.contains(k)) {
            None => Ok(()),
            Some(key) => {
                let mut known = read.clone();
                known.sort_unstable();
                known.dedup();
                Err(self.refused(key, format!("this key is not known here; known are {}", known.join(", "))))
            }
        }
    }
}
