//! Reading one NumPy array of real numbers: f4 or f8, any byte order, C or Fortran order.

use std::path::Path;

use eddy_experiments::spec::EddyError;

/// An array of two dimensions in row order.
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub data: Vec<f64>,
}

/// Reads `path`, whose errors name `key` of the file that asked for it.
pub fn read(key: &str, path: &Path) -> Result<Matrix, EddyError> {
    let bytes = std::fs::read(path)
        .map_err(|e| EddyError::new("file", format!("{key}: could not read the array ({e}): {}", path.display())))?;
    parse(&bytes).map_err(|what| EddyError::new("file", format!("{key}: {what}: {}", path.display())))
}

/// The array of a .npy file of version 1, 2 or 3.
fn parse(bytes: &[u8]) -> Result<Matrix, String> {
    if bytes.len() < 10 || !bytes.starts_with(b"\x93NUMPY") {
        return Err("this is not a NumPy array; save it with numpy.save(file, array)".into());
    }
    let (length, start) = if bytes[6] == 1 {
        (usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), 10)
    } else {
        let at = bytes.get(8..12).ok_or("the file ends within its header")?;
        (u32::from_le_bytes([at[0], at[1], at[2], at[3]]) as usize, 12)
    };
    let header = bytes.get(start..start + length).ok_or("the file ends within its header")?;
    let header = String::from_utf8_lossy(header);
    let descr =
        field(&header, "descr").and_then(quoted).ok_or("the array has a type of several fields; save plain numbers")?;
    let fortran = field(&header, "fortran_order").is_some_and(|v| v.trim_start().starts_with("True"));
    let shape = shape(field(&header, "shape").unwrap_or_default()).ok_or("the header has no shape")?;
    let (rows, columns) = match shape[..] {
        // Points on a line.
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => return Err(format!("the array must have two dimensions, [samples, dimensions], not {}", shape.len())),
    };
    let count = rows.checked_mul(columns).ok_or("the shape is too large")?;
    let (order, kind) = descr.split_at(1);
    let big = match order {
        "<" | "|" => false,
        ">" => true,
        // NumPy writes "=" for the order of the machine that saved it; all it runs on today are little-endian.
        "=" => false,
        _ => return Err(format!("numbers of type {descr} are not read; save float32 or float64")),
    };
    let size = match kind {
        "f4" => 4,
        "f8" => 8,
        _ => return Err(format!("numbers of type {descr} are not read; save float32 or float64")),
    };
    let body = &bytes[start + length..];
    if body.len() < count.saturating_mul(size) {
        return Err(format!("the file ends early: {rows} × {columns} numbers were announced"));
    }
    let number = |i: usize| -> f64 {
        let raw = &body[i * size..(i + 1) * size];
        if size == 4 {
            let raw = [raw[0], raw[1], raw[2], raw[3]];
            f64::from(if big { f32::from_be_bytes(raw) } else { f32::from_le_bytes(raw) })
        } else {
            let raw = [raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], raw[6], raw[7]];
            if big { f64::from_be_bytes(raw) } else { f64::from_le_bytes(raw) }
        }
    };
    let at = |k: usize| if fortran { (k % columns) * rows + k / columns } else { k };
    let data: Vec<f64> = (0..count).map(|k| number(at(k))).collect();
    if let Some(k) = data.iter().position(|v| !v.is_finite()) {
        return Err(format!("row {} column {} is {}, not a finite number", k / columns, k % columns, data[k]));
    }
    Ok(Matrix { rows, columns, data })
}

/// What follows `'name':` in the header.
fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let at = header.find(&format!("'{name}'"))?;
    let rest = &header[at + name.len() + 2..];
    Some(rest[rest.find(':')? + 1..].trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('\'')?;
    let inner = &inner[..inner.find('\'')?];
    (inner.len() >= 2 && inner.is_ascii()).then_some(inner)
}

fn shape(text: &str) -> Option<Vec<usize>> {
    let inner = text.strip_prefix('(')?;
    let inner = &inner[..inner.find(')')?];
    inner.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descr: &str, fortran: &str, shape: &str, body: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut out = b"\x93NUMPY\x01\x00".to_vec();
        out.extend((header.len() as u16).to_le_bytes());
        out.extend(header.bytes());
        out.extend(body);
        out
    }

    #[test]
    fn every_order_and_type() {
        let values = [1.5, -2.0, 3.25, 4.0, 0.5, 6.0];
        let bytes = |order: [usize; 6], f: &dyn Fn(f64) -> Vec<u8>| -> Vec<u8> {
            order.iter().flat_map(|i| f(values[*i])).collect()
        };
        let rows = [0, 1, 2, 3, 4, 5];
        // The transposed order of a 2 × 3 array.
        let columns = [0, 3, 1, 4, 2, 5];
        for (name, f) in [
            ("<f8", &(|v: f64| v.to_le_bytes().to_vec()) as &dyn Fn(f64) -> Vec<u8>),
            (">f8", &|v: f64| v.to_be_bytes().to_vec()),
            ("<f4", &|v: f64| (v as f32).to_le_bytes().to_vec()),
            (">f4", &|v: f64| (v as f32).to_be_bytes().to_vec()),
        ] {
            let c = parse(&file(name, "False", "(2, 3)", &bytes(rows, f))).unwrap();
            let fortran = parse(&file(name, "True", "(2, 3)", &bytes(columns, f))).unwrap();
            assert_eq!((c.rows, c.columns, &c.data[..]), (2, 3, &values[..]), "{name}");
            assert_eq!(fortran.data, c.data, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_explained() {
        let said = |bytes: &[u8]| parse(bytes).err().unwrap();
        let body = [0; 16];
        assert!(said(b"hello").contains("not a NumPy"));
        assert!(said(&file("<f8", "False", "(3, 1)", &body)).contains("ends early"));
        assert!(said(&file("<f8", "False", "(2, 1, 1)", &body)).contains("two dimensions"));
        let line = parse(&file("<f8", "False", "(2,)", &body)).unwrap();
        assert_eq!((line.rows, line.columns), (2, 1));
        assert!(said(&file("<i8", "False", "(2, 1)", &body)).contains("float32 or float64"));
        let nan: Vec<u8> = [1.0, f64::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert!(said(&file("<f8", "False", "(2, 1)", &nan)).contains("row 1 column 0"));
    }
}
