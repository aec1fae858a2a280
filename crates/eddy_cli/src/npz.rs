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

    /// Adds a text as a 0-d byte string (`str(archive["meta"].item(), "utf-8")` in NumPy).
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), EddyError> {
        let kind = format!("|S{}", text.len().max(1));
        self.entry(name, |w| {
            let dtype = npyz::DType::new_scalar(kind.parse().map_err(std::io::Error::other)?);
            let mut npy = npyz::WriteOptions::new().dtype(dtype).shape(&[]).writer(w).begin_nd()?;
            npy.push(text.as_bytes())?;
            npy.finish()
        })
    }

    pub fn finish(self) -> Result<(), EddyError> {
        let path = self.path;
        let mut file = self.zip.finish().map_err(|e| file_error("write the result", path, &e.into()))?;
        file.flush().map_err(|e| file_error("write the result", path, &e))
    }
}
