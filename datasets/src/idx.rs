//! IDX, the format of the MNIST family: a type code, the sizes of every axis, then the values, highest byte first.

#[cfg(test)]
mod tests;

use crate::error::{Problem, ReadError};
use crate::file::Input;
use crate::matrix::{ByteOrder, Matrix, Scalar, Values};

/// The most axes that are read; the first is the rows, the others are flattened.
const MAX_AXES: u8 = 8;

const KNOWN: &str = "08 (u8), 09 (i8), 0b (i16), 0c (i32), 0d (f32), 0e (f64)";

/// Reads one file of whichever type its header names.
pub fn read(input: &mut Input<'_>) -> Result<Values, ReadError> {
    let magic: [u8; 4] = input.array()?;
    let [0, 0, code, axes @ 1..=MAX_AXES] = magic else {
        return Err(input.fail(Problem::Magic { want: "two zero bytes, a type code and 1 to 8 axes", got: magic }));
    };
    let rows = u64::from(u32::from_be_bytes(input.array()?));
    let mut dim = 1_u64;
    for _ in 1..axes {
        let size = u64::from(u32::from_be_bytes(input.array()?));
        dim = dim.checked_mul(size).ok_or_else(|| input.fail(Problem::Overflow { rows: dim, dim: size }))?;
    }
    match code {
        0x08 => rows_of::<u8>(input, rows, dim),
        0x09 => rows_of::<i8>(input, rows, dim),
        0x0b => rows_of::<i16>(input, rows, dim),
        0x0c => rows_of::<i32>(input, rows, dim),
        0x0d => rows_of::<f32>(input, rows, dim),
        0x0e => rows_of::<f64>(input, rows, dim),
        other => Err(input.fail(Problem::Element { got: format!("{other:02x}"), known: KNOWN })),
    }
}

fn rows_of<T: Scalar>(input: &mut Input<'_>, rows: u64, dim: u64) -> Result<Values, ReadError> {
    input.rows::<T>(rows, dim, ByteOrder::Big).map(T::wrap)
}

/// The bytes of an IDX file of square images, as the MNIST family stores them.
pub fn encode_images(images: &Matrix<u8>, side: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0x08, 3];
    for size in [images.rows() as u32, side, side] {
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend(images.data());
    bytes
}
