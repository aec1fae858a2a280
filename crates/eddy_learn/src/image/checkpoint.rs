//! Checkpoints: safetensors files in half precision for models, in single precision for a training to be resumed.
//!
//! A file holds an eight-byte length, a JSON header of names, formats, shapes and offsets, and the numbers, little-endian.

use std::collections::BTreeMap;

use burn::tensor::f16;
use serde_json::{Map, Value, json};

use super::parameters::Matrix;
use crate::LearnError;

/// Texts about a file: the command that made it, its seed, its steps.
pub type Metadata = BTreeMap<String, String>;

/// A matrix in a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub name: String,
    pub shape: [usize; 2],
    pub values: Vec<f32>,
}

/// The matrices of a flat list under their names, with `prefix` before each.
pub(super) fn store(prefix: &str, layout: &[Matrix], values: &[f32]) -> Vec<Stored> {
    let mut rest = values;
    let one = |m: &Matrix| {
        let (own, after) = rest.split_at(m.len());
        rest = after;
        Stored { name: format!("{prefix}{}", m.name), shape: [m.rows, m.columns], values: own.to_vec() }
    };
    layout.iter().map(one).collect()
}

/// The flat list back. Every name must be there with its shape, and all numbers finite.
pub(super) fn restore(prefix: &str, layout: &[Matrix], file: &[Stored]) -> Result<Vec<f32>, LearnError> {
    let mut out = Vec::with_capacity(super::parameters::count(layout));
    for m in layout {
        let name = format!("{prefix}{}", m.name);
        let found = file.iter().find(|s| s.name == name).ok_or_else(|| {
            broken(&format!("The checkpoint has no “{name}”. Choose one that “eddy train image” has written."))
        })?;
        if found.shape != [m.rows, m.columns] || found.values.len() != m.len() {
            return Err(broken(&format!(
                "“{name}” has the shape {:?} in the checkpoint and {:?} in this model. It is of another version of Eddy.",
                found.shape,
                [m.rows, m.columns]
            )));
        }
        if found.values.iter().any(|v| !v.is_finite()) {
            return Err(broken(&format!("“{name}” holds a number that is not finite. Train again.")));
        }
        out.extend_from_slice(&found.values);
    }
    Ok(out)
}

fn broken(message: &str) -> LearnError {
    LearnError::Setting { message: message.to_owned() }
}

/// A file of these matrices, sorted by name; `half` stores them in half precision, rounded to nearest.
pub(super) fn write(tensors: &[Stored], half: bool, metadata: &Metadata) -> Vec<u8> {
    let mut sorted: Vec<&Stored> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!(metadata));
    let mut data = Vec::new();
    for tensor in sorted {
        let begin = data.len();
        for v in &tensor.values {
            if half {
                data.extend(f16::from_f32(*v).to_le_bytes());
            } else {
                data.extend(v.to_le_bytes());
            }
        }
        let format = if half { "F16" } else { "F32" };
        let entry = json!({ "dtype": format, "shape": tensor.shape, "data_offsets": [begin, data.len()] });
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

/// The matrices and texts of a file; F16 and F32 are read.
pub(super) fn read(file: &[u8]) -> Result<(Vec<Stored>, Metadata), LearnError> {
    let no = |why: &str| broken(&format!("This is no checkpoint of an image model ({why}). Choose another file."));
    let (length, rest) = file.split_first_chunk::<8>().ok_or_else(|| no("it is too short"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (header, data) = rest.split_at_checked(length).ok_or_else(|| no("its header is cut off"))?;
    let header: Map<String, Value> = serde_json::from_slice(header).map_err(|_| no("its header is not JSON"))?;
    let (mut tensors, mut metadata) = (Vec::new(), Metadata::new());
    for (name, entry) in header {
        if name == "__metadata__" {
            let texts = entry.as_object().into_iter().flatten();
            metadata = texts.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
            continue;
        }
        let number = |v: &Value| v.as_u64().and_then(|v| usize::try_from(v).ok());
        let pair = |key: &str| -> Option<[usize; 2]> {
            let list = entry[key].as_array().filter(|list| list.len() == 2)?;
            Some([number(&list[0])?, number(&list[1])?])
        };
        let (Some(shape), Some([begin, end])) = (pair("shape"), pair("data_offsets")) else {
            return Err(no(&format!("“{name}” has no shape of two numbers or no place")));
        };
        let bytes = data.get(begin..end).ok_or_else(|| no(&format!("“{name}” lies outside the file")))?;
        let values: Vec<f32> = match entry["dtype"].as_str() {
            Some("F16") => bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            Some("F32") => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            _ => return Err(no(&format!("“{name}” is neither F16 nor F32"))),
        };
        if shape[0].checked_mul(shape[1]) != Some(values.len()) {
            return Err(no(&format!("“{name}” has not as many numbers as its shape says")));
        }
        tensors.push(Stored { name, shape, values });
    }
    Ok((tensors, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Vec<Matrix>, Vec<f32>, Metadata) {
        let layout = vec![Matrix::table("b", 2, 3, 0.0), Matrix::table("a", 1, 2, 0.0)];
        let values = vec![1.0, -0.5, 3.0, 0.1, 1e-3, -7.0, 0.25, 65.0];
        (layout, values, Metadata::from([("command".into(), "eddy".into()), ("seed".into(), "1".into())]))
    }

    #[test]
    fn a_file_read_and_written_again_has_the_same_bytes() {
        let (layout, values, metadata) = example();
        for half in [false, true] {
            let file = write(&store("x.", &layout, &values), half, &metadata);
            let (tensors, texts) = read(&file).unwrap();
            assert_eq!(texts, metadata);
            let back = restore("x.", &layout, &tensors).unwrap();
            assert_eq!(write(&store("x.", &layout, &back), half, &texts), file);
            if half {
                // Half precision has eleven digits: 0.1 is off by at most 2⁻¹¹ of itself, but it is off.
                assert!(values.iter().zip(&back).all(|(v, b)| (v - b).abs() <= v.abs() / 2048.0));
                assert!(back[3] != 0.1);
            } else {
                assert_eq!(back, values);
            }
        }
        // Seen to fail: another value is another file.
        let mut other = values.clone();
        other[7] += 1.0;
        let file = |values: &[f32]| write(&store("", &layout, values), true, &metadata);
        assert_ne!(file(&other), file(&values));
    }

    #[test]
    fn files_that_do_not_fit_are_explained() {
        let (layout, values, metadata) = example();
        let file = write(&store("", &layout, &values), true, &metadata);
        let said = |file: &[u8]| match read(file).and_then(|(tensors, _)| restore("", &layout, &tensors)) {
            Ok(_) => String::new(),
            Err(e) => e.to_string(),
        };
        assert_eq!(said(&file), "");
        assert!(said(&[]).contains("too short"));
        assert!(said(&file[..20]).contains("cut off"));
        assert!(said(&file[..file.len() - 1]).contains("outside"));
        assert!(said(&[&8u64.to_le_bytes()[..], b"nonsense"].concat()).contains("not JSON"));
        let shorter = [layout[0].clone(), Matrix::table("a", 2, 1, 0.0)];
        assert!(said(&write(&store("", &shorter, &values), true, &metadata)).contains("shape"));
        assert!(said(&write(&store("", &layout[..1], &values), true, &metadata)).contains("no “a”"));
        let mut bad = values;
        bad[0] = f32::NAN;
        assert!(said(&write(&store("", &layout, &bad), true, &metadata)).contains("not finite"));
    }
}
