//! Trained parameters as files in safetensors, the format that PyTorch, JAX and Hugging Face's libraries read.
//!
//! A file holds an eight-byte length, a JSON header of names, formats, shapes and offsets, and the numbers, little-endian.
//! Weights of a layer are `layers.0.weight` of shape [outputs, inputs] and `layers.0.bias`, as PyTorch lays them out.

use eddy_nets::{Named, Real};
use eddy_spec::EddyError;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// A named array of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub name: String,
    /// Row-major.
    pub shape: Vec<usize>,
    pub values: Numbers,
}

/// In the format in which they are trained.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Numbers {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().map(|v| f64::from(*v)).collect(),
            Self::F64(values) => values.clone(),
        }
    }

    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::F64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

/// The parameters of one network as tensors; `prefix` tells several networks of a run apart (`teacher.`).
pub fn tensors<T: Real>(prefix: &str, named: &[Named], parameters: &[T]) -> Vec<Tensor> {
    let is_single = size_of::<T>() == 4;
    let tensor = |n: &Named| {
        let values = &parameters[n.range()];
        let values = if is_single {
            Numbers::F32(values.iter().map(|v| v.to_f64() as f32).collect())
        } else {
            Numbers::F64(values.iter().map(|v| v.to_f64()).collect())
        };
        Tensor { name: format!("{prefix}{}", n.name), shape: n.shape.clone(), values }
    };
    named.iter().map(tensor).collect()
}

/// Writes what `given` holds to `parameters`. Every name must be there with its shape; on an error nothing has changed.
pub fn fill<T: Real>(prefix: &str, named: &[Named], given: &[Tensor], parameters: &mut [T]) -> Result<(), EddyError> {
    let mut found = Vec::with_capacity(named.len());
    for n in named {
        let name = format!("{prefix}{}", n.name);
        let Some(tensor) = given.iter().find(|t| t.name == name) else {
            return Err(misfit(format!(
                "The file has no “{name}”; this network has {}. Give the network the size that it had there, or choose another file.",
                shapes(prefix, named)
            )));
        };
        if tensor.shape != n.shape {
            return Err(misfit(format!(
                "“{name}” has the shape {:?} in the file and {:?} in this network. Give the network the size that it had there.",
                tensor.shape, n.shape
            )));
        }
        let values = tensor.values.to_f64();
        if let Some(bad) = values.iter().position(|v| !v.is_finite()) {
            return Err(misfit(format!(
                "Entry {bad} of “{name}” is not a finite number. Save the weights again before they overflow."
            )));
        }
        found.push((n, values));
    }
    for (n, values) in found {
        parameters[n.range()].iter_mut().zip(values).for_each(|(p, v)| *p = T::from_f64(v));
    }
    Ok(())
}

fn shapes(prefix: &str, named: &[Named]) -> String {
    let one = |n: &Named| format!("{prefix}{} {:?}", n.name, n.shape);
    let (first, rest) = named.split_at(named.len().min(4));
    let list = first.iter().map(one).collect::<Vec<_>>().join(", ");
    if rest.is_empty() { list } else { format!("{list} and {} more", rest.len()) }
}

fn misfit(message: String) -> EddyError {
    EddyError::new("weights", message)
}

/// A file of the tensors. `permalink` is kept in its header, so that the run can be found again.
pub fn to_safetensors(tensors: &[Tensor], permalink: &str) -> Result<Vec<u8>, EddyError> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|t| t.values.bytes()).collect();
    let views = tensors.iter().zip(&bytes).map(|(t, bytes)| {
        TensorView::new(t.values.dtype(), t.shape.clone(), bytes).map(|view| (t.name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<Result<_, _>>().map_err(|e| EddyError::internal(format!("{e}.")))?;
    // One entry: with several the library writes them in any order, and equal weights should be equal files.
    let about = [("permalink".to_owned(), permalink.to_owned())];
    safetensors::serialize(views, Some(about.into_iter().collect())).map_err(|e| EddyError::internal(format!("{e}.")))
}

/// The tensors of a file, sorted by name; F32 and F64 are read.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<Tensor>, EddyError> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| {
        misfit(format!("This is no safetensors file. Choose one that Eddy or a Python library has saved. ({e})"))
    })?;
    let mut out = Vec::with_capacity(file.len());
    for (name, view) in file.iter() {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => Numbers::F32(data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Dtype::F64 => Numbers::F64(data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
            other => {
                return Err(misfit(format!(
                    "“{name}” is kept as {other:?}; F32 and F64 are read. Convert it before saving, for example by “.float()”."
                )));
            }
        };
        out.push(Tensor { name: name.to_owned(), shape: view.shape().to_vec(), values });
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eddy_nets::{Activation, Architecture, Network};

    fn network() -> Network<f32> {
        Network::new(Architecture::dense(2, &[3], 1, Activation::Tanh), 5).unwrap()
    }

    #[test]
    fn what_is_saved_comes_back_to_the_bit() {
        let net = network();
        let named = net.architecture().named();
        assert_eq!(named.iter().map(|n| n.range().len()).sum::<usize>(), net.parameters.len());
        let saved = to_safetensors(&tensors("a.", &named, &net.parameters), "heat?x=1").unwrap();
        // The header as the format defines it, read without the library.
        let length = u64::from_le_bytes(saved[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&saved[8..8 + length]).unwrap();
        assert_eq!(header["a.layers.0.weight"]["shape"], serde_json::json!([3, 2]));
        assert_eq!(header["a.layers.0.weight"]["dtype"], "F32");
        assert_eq!(header["__metadata__"]["permalink"], "heat?x=1");
        let begin = header["a.layers.1.bias"]["data_offsets"][0].as_u64().unwrap() as usize + 8 + length;
        assert_eq!(saved[begin..begin + 4], net.parameters.last().unwrap().to_le_bytes());
        let mut back = vec![0.0f32; net.parameters.len()];
        fill("a.", &named, &from_safetensors(&saved).unwrap(), &mut back).unwrap();
        assert_eq!(back, net.parameters);
    }

    #[test]
    fn files_that_do_not_fit_say_why_and_change_nothing() {
        let net = network();
        let named = net.architecture().named();
        let good = tensors("", &named, &net.parameters);
        let mut missing = good.clone();
        missing.remove(1);
        let mut shape = good.clone();
        shape[0].shape = vec![2, 3];
        let mut nan = good.clone();
        nan[0].values = Numbers::F64(vec![0.0, 0.0, f64::NAN, 0.0, 0.0, 0.0]);
        for (given, why) in [(missing, "layers.0.bias"), (shape, "[2, 3]"), (nan, "Entry 2")] {
            let mut parameters = net.parameters.clone();
            let error = fill("", &named, &given, &mut parameters).unwrap_err();
            assert!(error.message.contains(why), "{error}");
            assert_eq!(parameters, net.parameters);
        }
        assert!(from_safetensors(b"no weights at all").unwrap_err().message.contains("no safetensors file"));
        let half = TensorView::new(Dtype::F16, vec![1], &[0, 0]).unwrap();
        let half = safetensors::serialize([("h", half)], None).unwrap();
        assert!(from_safetensors(&half).unwrap_err().message.contains("F16"));
    }
}
