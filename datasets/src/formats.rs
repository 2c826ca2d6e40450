//! The file formats with a reader, chosen by the extension of the name.

#[cfg(test)]
mod tests;

use std::path::Path;

use elanus_kernels::F16;

use crate::error::{Problem, ReadError};
use crate::file::Input;
use crate::matrix::{Matrix, Values};
use crate::{bin_file, idx, npy, vecs};

/// One extension and its reader.
#[derive(Debug)]
pub struct Format {
    /// What the name ends with, before an optional `.gz`.
    pub suffix: &'static str,
    /// What such a file holds.
    pub about: &'static str,
    read: fn(&mut Input<'_>) -> Result<Values, ReadError>,
}

/// Every format. Compression is recognised by content, so each may also be gzipped.
pub static FORMATS: &[Format] = &[
    Format { suffix: ".fvecs", about: "f32 rows, each after its length", read: vecs::read_values::<f32> },
    Format { suffix: ".bvecs", about: "u8 rows, each after its length", read: vecs::read_values::<u8> },
    Format { suffix: ".ivecs", about: "i32 rows, each after its length", read: vecs::read_values::<i32> },
    Format { suffix: ".fbin", about: "rows and dimension, then f32", read: bin_file::read_values::<f32> },
    Format { suffix: ".f16bin", about: "rows and dimension, then f16", read: bin_file::read_values::<F16> },
    Format { suffix: ".u8bin", about: "rows and dimension, then u8", read: bin_file::read_values::<u8> },
    Format { suffix: ".i8bin", about: "rows and dimension, then i8", read: bin_file::read_values::<i8> },
    Format { suffix: ".ibin", about: "rows and dimension, then i32", read: bin_file::read_values::<i32> },
    Format { suffix: ".npy", about: "an array as NumPy saves it", read: npy::read },
    Format { suffix: ".idx", about: "IDX, as the MNIST family is shipped", read: idx::read },
    Format { suffix: "-ubyte", about: "IDX, as the MNIST family is shipped", read: idx::read },
];

/// Reads a file of any listed format.
pub fn read_values(path: &Path) -> Result<Values, ReadError> {
    // A name that is not text has no listed extension either.
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let Some(format) = FORMATS.iter().find(|format| name.ends_with(format.suffix)) else {
        let known = FORMATS.iter().map(|format| format.suffix).collect::<Vec<_>>().join(", ");
        return Err(ReadError {
            file: path.display().to_string(),
            offset: None,
            problem: Problem::Extension { known },
        });
    };
    (format.read)(&mut Input::open(path)?)
}

/// Reads a file of vectors, every value as the nearest `f32`.
pub fn read_f32(path: &Path) -> Result<Matrix<f32>, ReadError> {
    read_values(path).map(Values::into_f32)
}

/// Reads a file of row numbers below `below`.
pub fn read_ids(path: &Path, below: usize) -> Result<Matrix<u32>, ReadError> {
    read_values(path)?.into_ids(&path.display().to_string(), below)
}

/// Reads a file of one whole number a row.
pub fn read_labels(path: &Path) -> Result<Vec<i64>, ReadError> {
    read_values(path)?.into_labels(&path.display().to_string())
}
