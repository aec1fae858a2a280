//! A run with its parameters: what the wasm boundary and the command line drive.

use eddy_spec::{EddyError, Effect, ParamError, Setting};

use crate::{
    Budget, Context, Entry, ErasedParams, Run, entry,
    weights::{from_safetensors, to_safetensors},
};

/// An open experiment. A failed change leaves the session as it was.
pub struct Session {
    pub entry: &'static Entry,
    context: Context,
    params: Box<dyn ErasedParams>,
    run: Box<dyn Run>,
}

impl Session {
    /// Opens a permalink. Parameters that cannot be set are reported and left at their defaults; an unknown experiment
    /// or an unreadable link is an error.
    pub fn open(permalink: &str, context: Context) -> Result<(Self, Vec<ParamError>), EddyError> {
        let setting = Setting::parse(permalink)?;
        let entry = entry(&setting.id)?;
        if !entry.runs_on(context.kind()) {
            return Err(EddyError::gpu(
                "device-unsupported",
                format!("“{}” does not run on this device yet. Switch to the CPU.", entry.title),
            ));
        }
        let mut params = entry.defaults();
        let errors = setting.values.iter().filter_map(|(k, v)| params.set(k, v).err()).collect();
        let run = params.start(&context)?;
        Ok((Self { entry, context, params, run }, errors))
    }

    /// Sets a parameter: a live one reaches the running run, any other restarts it.
    pub fn set(&mut self, key: &str, text: &str) -> Result<Effect, EddyError> {
        let mut changed = self.params.duplicate();
        let effect = changed.set(key, text)?;
        match effect {
            Effect::Live => self.run.update(changed.typed())?,
            Effect::Restart => {
                self.run = changed.start(&self.context).map_err(|e| if e.key.is_none() { e.at(key) } else { e })?;
            }
        }
        self.params = changed;
        Ok(effect)
    }

    /// Starts again with the same parameters.
    pub fn restart(&mut self) -> Result<(), EddyError> {
        self.run = self.params.start(&self.context)?;
        Ok(())
    }

    pub fn get(&self, key: &str) -> Option<String> {
        self.params.get(key)
    }

    pub fn permalink(&self) -> String {
        Setting { id: self.entry.id.to_owned(), values: self.params.differences() }.to_string()
    }

    /// Permalink of the baseline beside the present parameters. A change of the baseline that the present parameters do
    /// not allow is an error of the catalogue, caught by its tests.
    pub fn baseline_permalink(&self) -> Result<Option<String>, EddyError> {
        let Some(baseline) = self.entry.baseline else { return Ok(None) };
        let mut params = self.params.duplicate();
        for (key, text) in Setting::parse_query(baseline.change)? {
            params.set(&key, &text)?;
        }
        Ok(Some(Setting { id: self.entry.id.to_owned(), values: params.differences() }.to_string()))
    }

    pub async fn advance(&mut self, budget: Budget) -> Result<(), EddyError> {
        if self.run.outcome().is_running() { self.run.advance(budget).await } else { Ok(()) }
    }

    /// A Python program that makes the same run; none where the experiment writes none.
    pub fn script(&self) -> Result<Option<String>, EddyError> {
        self.run.script().transpose()
    }

    /// The trained parameters as a safetensors file; none where nothing is trained.
    pub fn weights(&self) -> Option<Vec<u8>> {
        let tensors = self.run.weights();
        (!tensors.is_empty()).then(|| to_safetensors(&tensors, &self.permalink()))
    }

    /// Puts the parameters of such a file in place of the trained ones. On an error nothing has changed.
    pub fn set_weights(&mut self, file: &[u8]) -> Result<(), EddyError> {
        self.run.set_weights(&from_safetensors(file)?)
    }

    /// What the device chip says: where and how this run computes.
    pub fn device(&self) -> String {
        self.context.describe_run(&*self.run)
    }
    pub fn context(&self) -> &Context {
        &self.context
    }
    pub fn run(&self) -> &dyn Run {
        &*self.run
    }
    pub fn run_mut(&mut self) -> &mut dyn Run {
        &mut *self.run
    }
}
