//! Trained parameters as files in safetensors, the format that PyTorch, JAX and Hugging Face's libraries read.
//!
//! A file holds an eight-byte length, a JSON header of names, formats, shapes and offsets, and the numbers, little-endian.
//! Weights of a layer are `layers.0.weight` of shape [outputs, inputs] and `layers.0.bias`, as PyTorch lays them out.

use eddy_nets::{Named, Real};
use eddy_spec::EddyError;
use serde_json::{Map, Value, json};

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

    fn format(&self) -> &'static str {
        match self {
            Self::F32(_) => "F32",
            Self::F64(_) => "F64",
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

/// A file of the tensors, sorted by name. `permalink` is kept in its header, so that the run can be found again.
///
/// Written here over serde_json, which every bundle holds anyway: the safetensors library adds 29 kB to each, and is what
/// the tests compare with.
pub fn to_safetensors(tensors: &[Tensor], permalink: &str) -> Vec<u8> {
    let mut sorted: Vec<&Tensor> = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        sorted.insert(sorted.partition_point(|other| other.name <= tensor.name), tensor);
    }
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "permalink": permalink }));
    let mut data = Vec::new();
    for tensor in sorted {
        let begin = data.len();
        data.extend(tensor.values.bytes());
        let entry =
            json!({ "dtype": tensor.values.format(), "shape": tensor.shape, "data_offsets": [begin, data.len()] });
        header.insert(tensor.name.clone(), entry);
    }
    let mut text = Value::Object(header).to_string();
    // Numbers start at a multiple of eight, as the format asks.
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text.into_bytes());
    file.extend(data);
    file
}

/// The tensors of a file, sorted by name; F32 and F64 are read.
pub fn from_safetensors(file: &[u8]) -> Result<Vec<Tensor>, EddyError> {
    let broken = |why: &str| {
        misfit(format!("This is no safetensors file ({why}). Choose one that Eddy or a Python library has saved."))
    };
    let (length, rest) = file.split_first_chunk::<8>().ok_or_else(|| broken("it is too short"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (header, data) = rest.split_at_checked(length).ok_or_else(|| broken("its header is cut off"))?;
    let header: Map<String, Value> = serde_json::from_slice(header).map_err(|_| broken("its header is no JSON"))?;
    let mut out = Vec::with_capacity(header.len());
    for (name, entry) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
        let numbers = |key: &str| -> Option<Vec<usize>> {
            entry[key].as_array()?.iter().map(|v| v.as_u64().and_then(|v| usize::try_from(v).ok())).collect()
        };
        let (shape, places) =
            numbers("shape").zip(numbers("data_offsets")).ok_or_else(|| broken("an entry is cut off"))?;
        let bytes = match places[..] {
            [begin, end] => data.get(begin..end),
            _ => None,
        };
        let bytes = bytes.ok_or_else(|| broken("its numbers are cut off"))?;
        let values = match entry["dtype"].as_str().unwrap_or("nothing") {
            "F32" => Numbers::F32(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            "F64" => Numbers::F64(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
            other => {
                return Err(misfit(format!(
                    "“{name}” is kept as {other}; F32 and F64 are read. Convert it before saving, for example by “.float()”."
                )));
            }
        };
        let count = shape.iter().try_fold(1usize, |all, one| all.checked_mul(*one));
        if count != Some(values.len()) {
            return Err(broken("shape and numbers of an entry differ"));
        }
        out.insert(out.partition_point(|other: &Tensor| other.name <= name), Tensor { name, shape, values });
    }
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
        let saved = to_safetensors(&tensors("a.", &named, &net.parameters), "heat?x=1");
        let mut back = vec![0.0f32; net.parameters.len()];
        fill("a.", &named, &from_safetensors(&saved).unwrap(), &mut back).unwrap();
        assert_eq!(back, net.parameters);
    }

    #[test]
    fn the_library_reads_what_is_written_and_writes_what_is_read() {
        use safetensors::{Dtype, SafeTensors, tensor::TensorView};
        let net = network();
        let named = net.architecture().named();
        let ours = tensors("a.", &named, &net.parameters);
        let saved = to_safetensors(&ours, "heat?x=1");
        let read = SafeTensors::deserialize(&saved).unwrap();
        assert_eq!(read.len(), 4);
        let weight = read.tensor("a.layers.0.weight").unwrap();
        assert_eq!((weight.dtype(), weight.shape()), (Dtype::F32, &[3, 2][..]));
        assert_eq!(weight.data()[..4], net.parameters[0].to_le_bytes());
        let (_, metadata) = SafeTensors::read_metadata(&saved).unwrap();
        let permalink = metadata.metadata().as_ref().and_then(|m| m.get("permalink").cloned());
        assert_eq!(permalink.as_deref(), Some("heat?x=1"));

        let bytes: Vec<Vec<u8>> = ours.iter().map(|t| t.values.bytes()).collect();
        let views = ours.iter().zip(&bytes);
        let views = views.map(|(t, b)| (t.name.as_str(), TensorView::new(Dtype::F32, t.shape.clone(), b).unwrap()));
        let theirs = safetensors::serialize(views, None).unwrap();
        let mut back = vec![0.0f32; net.parameters.len()];
        fill("a.", &named, &from_safetensors(&theirs).unwrap(), &mut back).unwrap();
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
        // A good file cut off anywhere, and with each of its first bytes changed, is refused or read; it never panics.
        let file = to_safetensors(&good, "heat");
        for length in 0..file.len() {
            assert!(from_safetensors(&file[..length]).unwrap_err().message.contains("no safetensors file"), "{length}");
        }
        for at in 0..200 {
            for value in [0, 0x22, 0x39, 0xff] {
                let mut file = file.clone();
                file[at] = value;
                let _ = from_safetensors(&file);
            }
        }
        let half = safetensors::tensor::TensorView::new(safetensors::Dtype::F16, vec![1], &[0, 0]).unwrap();
        let half = safetensors::serialize([("h", half)], None).unwrap();
        assert!(from_safetensors(&half).unwrap_err().message.contains("F16"));
    }
}
