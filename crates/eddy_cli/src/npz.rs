//! NumPy archives.

use std::{fs::File, io::BufWriter, io::Write, path::Path};

use eddy_experiments::spec::EddyError;
use npyz::WriterBuilder;

use crate::file_error;

/// An archive of named arrays being written.
pub struct NpzWriter<'a> {
    path: &'a Path,
    zip: zip::ZipWriter<BufWriter<File>>,
}

impl<'a> NpzWriter<'a> {
    pub fn create(path: &'a Path) -> Result<Self, EddyError> {
        let file = File::create(path).map_err(|e| file_error("write the result", path, &e))?;
        Ok(Self { path, zip: zip::ZipWriter::new(BufWriter::new(file)) })
    }

    fn entry(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), EddyError> {
        let options = zip::write::SimpleFileOptions::default();
        let done =
            self.zip.start_file(npyz::npz::file_name_from_array_name(name), options).map_err(std::io::Error::from);
        done.and_then(|()| write(&mut self.zip)).map_err(|e| file_error("write the result", self.path, &e))
    }

    /// Adds an array of doubles in row-major order.
    pub fn f64(&mut self, name: &str, shape: &[u64], data: &[f64]) -> Result<(), EddyError> {
        self.entry(name, |w| {
            let mut npy = npyz::WriteOptions::new().default_dtype().shape(shape).writer(w).begin_nd()?;
            npy.extend(data.iter().copied())?;
            npy.finish()
        })
    }

    /// Adds an array of singles in row-major order.
    pub fn f32(&mut self, name: &str, shape: &[u64], data: &[f32]) -> Result<(), EddyError> {
        self.entry(name, |w| {
            let mut npy = npyz::WriteOptions::new().default_dtype().shape(shape).writer(w).begin_nd()?;
            npy.extend(data.iter().copied())?;
            npy.finish()
        })
    }

    /// Adds one whole number as a 0-d array.
    pub fn i64(&mut self, name: &str, value: i64) -> Result<(), EddyError> {
        self.entry(name, |w| {
            header(w, "<i8", &[])?;
            w.write_all(&value.to_le_bytes())
        })
    }

    /// Adds an array of complex doubles in row-major order, from real and imaginary parts.
    pub fn complex(&mut self, name: &str, shape: &[u64], re: &[f64], im: &[f64]) -> Result<(), EddyError> {
        self.entry(name, |w| {
            header(w, "<c16", shape)?;
            let mut w = BufWriter::with_capacity(1 << 16, w);
            for (re, im) in re.iter().zip(im) {
                w.write_all(&re.to_le_bytes())?;
                w.write_all(&im.to_le_bytes())?;
            }
            w.flush()
        })
    }

    /// Adds a text as a 0-d string (`str(archive["meta"])` in NumPy).
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), EddyError> {
        let characters: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        self.entry(name, |w| {
            header(w, &format!("<U{}", (characters.len() / 4).max(1)), &[])?;
            w.write_all(&characters)
        })
    }

    pub fn finish(self) -> Result<(), EddyError> {
        let path = self.path;
        let mut file = self.zip.finish().map_err(|e| file_error("write the result", path, &e.into()))?;
        file.flush().map_err(|e| file_error("write the result", path, &e))
    }
}

/// The header of a NumPy file of version 1, for the types that npyz does not write.
fn header(w: &mut dyn Write, descr: &str, shape: &[u64]) -> std::io::Result<()> {
    let mut sizes: String = shape.iter().map(|n| format!("{n},")).collect();
    if sizes.is_empty() {
        sizes.push(' ');
    }
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", sizes.trim());
    // Magic, version and length take 10 bytes; the whole is a multiple of 64 and ends with a new line.
    while (text.len() + 11) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    w.write_all(b"\x93NUMPY\x01\x00")?;
    w.write_all(&(text.len() as u16).to_le_bytes())?;
    w.write_all(text.as_bytes())
}
