//! Arrays of Python seen as matrices, by the buffer protocol.

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A matrix of float32 that Python owns, or one row of it.
pub(crate) struct Matrix {
    buffer: PyBuffer<f32>,
    pub(crate) rows: usize,
    pub(crate) dim: usize,
}

impl Matrix {
    /// Takes an array of two dimensions, or of one as a single row; its values must lie one after another.
    pub(crate) fn of(what: &str, object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyBuffer::<f32>::get(object).map_err(|error| {
            PyValueError::new_err(format!("{what} are not an array of float32: {}", error.value(object.py())))
        })?;
        let (rows, dim) = match *buffer.shape() {
            [rows, dim] => (rows, dim),
            [dim] => (1, dim),
            ref other => {
                let text = format!("{what} have {} dimensions where 1 or 2 are taken", other.len());
                return Err(PyValueError::new_err(text));
            }
        };
        if !buffer.is_c_contiguous() {
            return Err(PyValueError::new_err(format!("{what} do not lie row after row without gaps")));
        }
        Ok(Self { buffer, rows, dim })
    }

    /// A copy of all values.
    pub(crate) fn to_vec(&self, py: Python<'_>) -> PyResult<Vec<f32>> {
        self.buffer.to_vec(py)
    }

    /// All values in place. Python's callers may not write to them while this is used: the module's documentation says
    /// so, as that of every library that reads arrays without the interpreter's lock does.
    pub(crate) fn values(&self) -> &[f32] {
        let count = self.rows * self.dim;
        if count == 0 {
            return &[];
        }
        // SAFETY: `PyBuffer::get` has checked that the items are floats of this machine's order and aligned to them,
        // and `of` that they follow each other without gaps, so `buf_ptr` begins `count` of them. The buffer is held
        // by `self`, and what exports one may neither move nor free it meanwhile; nobody writes, by the contract above.
        // Copying instead, on one thread, would take a tenth of the time of a batch on many.
        unsafe { std::slice::from_raw_parts(self.buffer.buf_ptr().cast::<f32>(), count) }
    }
}

/// Bits of Python's, one for each of `count` rows, the first in the lowest bit of the first byte, as words of 64. Bits past
/// the last row count for nothing.
pub(crate) fn bits_of(py: Python<'_>, object: &Bound<'_, PyAny>, count: usize) -> PyResult<Vec<u64>> {
    let buffer = PyBuffer::<u8>::get(object)
        .map_err(|error| PyValueError::new_err(format!("bits are not bytes: {}", error.value(py))))?;
    let got = buffer.item_count();
    if got != count.div_ceil(8) {
        return Err(PyValueError::new_err(format!(
            "{got} bytes of bits given, {count} rows take {}",
            count.div_ceil(8)
        )));
    }
    let bytes = buffer.to_vec(py)?;
    let word = |part: &[u8]| {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        u64::from_le_bytes(word)
    };
    Ok(bytes.chunks(8).map(word).collect())
}

/// An array of Python's to write `rows` times `columns` results to.
pub(crate) struct Target<T>(PyBuffer<T>);

impl<T: Element> Target<T> {
    /// Takes a writable array of that many items, however they are shaped.
    pub(crate) fn of(what: &str, object: &Bound<'_, PyAny>, rows: usize, columns: usize) -> PyResult<Self> {
        let buffer = PyBuffer::<T>::get(object)
            .map_err(|error| PyValueError::new_err(format!("{what}: {}", error.value(object.py()))))?;
        if rows.checked_mul(columns) != Some(buffer.item_count()) {
            let got = buffer.item_count();
            return Err(PyValueError::new_err(format!(
                "{what} has room for {got}, the results are {rows} x {columns}"
            )));
        }
        if buffer.readonly() || !buffer.is_c_contiguous() {
            return Err(PyValueError::new_err(format!("{what} cannot be written to row after row")));
        }
        Ok(Self(buffer))
    }

    /// Writes all results.
    pub(crate) fn write(&self, py: Python<'_>, values: &[T]) -> PyResult<()> {
        self.0.copy_from_slice(py, values)
    }
}
