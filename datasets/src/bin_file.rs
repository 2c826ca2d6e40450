//! fbin, u8bin, i8bin, f16bin and ibin: `u32` rows, `u32` dimension, then the rows, all with the lowest byte first.

#[cfg(test)]
mod tests;

use crate::error::ReadError;
use crate::file::Input;
use crate::matrix::{ByteOrder, Matrix, Scalar, Values};
use crate::truth::Truth;

/// Reads one file of `T`.
pub fn read<T: Scalar>(input: &mut Input<'_>) -> Result<Matrix<T>, ReadError> {
    let rows = u32::from_le_bytes(input.array()?);
    let dim = u32::from_le_bytes(input.array()?);
    input.rows(u64::from(rows), u64::from(dim), ByteOrder::Little)
}

pub(crate) fn read_values<T: Scalar>(input: &mut Input<'_>) -> Result<Values, ReadError> {
    read::<T>(input).map(T::wrap)
}

/// The bytes of an ibin file that holds the neighbours of each query, nearest first.
pub fn encode_truth(truth: &Truth) -> Vec<u8> {
    let header = [truth.len() as u32, truth.k() as u32];
    header.iter().chain(truth.all_ids()).flat_map(|value| value.to_le_bytes()).collect()
}
