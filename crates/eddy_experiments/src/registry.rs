//! Experiments behind one type: what the page, the command line and the checks walk.

use std::{any::Any, sync::OnceLock};

use eddy_spec::{
    Axis, Citation, Claim, Cost, EddyError, Effect, Metric, ParamError, ParamSpec, ParamTable, Setting, ViewSpec,
};

use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Run};

/// An experiment with its type erased. The fields are the constants of [`Experiment`].
pub struct Entry {
    pub id: &'static str,
    pub title: &'static str,
    pub summary: &'static str,
    pub lab: Lab,
    pub papers: &'static [Citation],
    pub axis: Axis,
    pub metrics: &'static [Metric],
    pub views: &'static [ViewSpec],
    pub baseline: Option<Baseline>,
    pub claim: Option<Claim>,
    pub devices: &'static [DeviceKind],
    pub cost: Cost,
    pub table: &'static [ParamSpec],
    defaults: fn() -> Box<dyn ErasedParams>,
}

impl Entry {
    pub(crate) fn of<E: Experiment>(id: &'static str) -> Self {
        Self {
            id,
            title: E::TITLE,
            summary: E::SUMMARY,
            lab: E::LAB,
            papers: E::PAPERS,
            axis: E::AXIS,
            metrics: E::METRICS,
            views: E::VIEWS,
            baseline: E::BASELINE,
            claim: E::CLAIM,
            devices: E::DEVICES,
            cost: E::COST,
            table: E::Params::table(),
            defaults: || Box::new(Holder::<E> { params: E::Params::default() }),
        }
    }

    /// The default parameters.
    pub fn defaults(&self) -> Box<dyn ErasedParams> {
        (self.defaults)()
    }

    /// The defaults with a permalink query applied; the first error is returned.
    pub fn with(&self, query: &str) -> Result<Box<dyn ErasedParams>, EddyError> {
        let mut params = self.defaults();
        for (key, text) in Setting::parse_query(query)? {
            params.set(&key, &text)?;
        }
        Ok(params)
    }

    /// Family of its paper in the list of papers, or the key of its lab.
    pub fn family(&self) -> &str {
        let number = self.papers.first().map_or(0, |p| p.number);
        crate::papers().iter().find(|p| p.number == number).map_or(self.lab.key(), |p| p.family.as_str())
    }

    pub fn runs_on(&self, kind: DeviceKind) -> bool {
        self.devices.contains(&kind)
    }
}

/// Parameters of some experiment.
pub trait ErasedParams {
    fn set(&mut self, key: &str, text: &str) -> Result<Effect, ParamError>;
    fn get(&self, key: &str) -> Option<String>;
    fn differences(&self) -> Vec<(String, String)>;
    fn start(&self, context: &Context) -> Result<Box<dyn Run>, EddyError>;
    /// The typed parameters, for [`Run::update`].
    fn typed(&self) -> &dyn Any;
    fn duplicate(&self) -> Box<dyn ErasedParams>;
}

struct Holder<E: Experiment> {
    params: E::Params,
}

impl<E: Experiment> ErasedParams for Holder<E> {
    fn set(&mut self, key: &str, text: &str) -> Result<Effect, ParamError> {
        self.params.set(key, text)
    }
    fn get(&self, key: &str) -> Option<String> {
        self.params.get(key)
    }
    fn differences(&self) -> Vec<(String, String)> {
        self.params.differences()
    }
    fn start(&self, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        E::start(&self.params, context)
    }
    fn typed(&self) -> &dyn Any {
        &self.params
    }
    fn duplicate(&self) -> Box<dyn ErasedParams> {
        Box::new(Self { params: self.params.clone() })
    }
}

/// All experiments, by id.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(crate::discovered)
}

/// The experiment `id`, or an error that names near misses.
pub fn entry(id: &str) -> Result<&'static Entry, EddyError> {
    entries().iter().find(|e| e.id == id).ok_or_else(|| {
        let near: Vec<&str> = entries().iter().map(|e| e.id).filter(|e| is_near(e, id)).collect();
        let hint = if near.is_empty() {
            "Open the gallery or run “eddy list” for all of them.".to_owned()
        } else {
            format!("Did you mean {}?", near.join(" or "))
        };
        EddyError::new("experiment-unknown", format!("There is no experiment “{id}”. {hint}"))
    })
}

pub(crate) fn is_near(a: &str, b: &str) -> bool {
    // Levenshtein distance of at most 2, or one contains the other.
    if b.len() >= 3 && (a.contains(b) || b.contains(a)) {
        return true;
    }
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut previous = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let cost = previous + usize::from(ca != b[j]);
            previous = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(previous + 1);
        }
    }
    row[b.len()] <= 2
}
