//! fvecs, bvecs and ivecs: every row begins with its own length as `i32`, lowest byte first.

#[cfg(test)]
mod tests;

use crate::error::{Problem, ReadError};
use crate::file::Input;
use crate::matrix::{ByteOrder, Matrix, Scalar, Values};

/// Reads one file of `T`. The first row's length is that of all; a file without a row is refused, since its
/// dimension is unknown.
pub fn read<T: Scalar>(input: &mut Input<'_>) -> Result<Matrix<T>, ReadError> {
    let first = i32::from_le_bytes(input.array()?);
    let dim = input.check_dim(i128::from(first))?;
    let row_bytes = dim * T::SIZE as u64;
    if row_bytes > input.room() {
        return Err(input.fail(Problem::Promise { want: row_bytes, room: input.room() }));
    }
    let mut data = Vec::new();
    let rows = 1 + input.rows_left(row_bytes + 4);
    let count = usize::try_from(rows * dim).unwrap_or(usize::MAX);
    data.try_reserve_exact(count).map_err(|_| input.fail(Problem::Memory { bytes: rows * row_bytes }))?;
    input.values(&mut data, dim as usize, ByteOrder::Little)?;
    let mut row = 1;
    while !input.at_end()? {
        let got = i32::from_le_bytes(input.array()?);
        if got != first {
            return Err(input.fail(Problem::RowDim { row, want: dim, got: i64::from(got) }));
        }
        input.values(&mut data, dim as usize, ByteOrder::Little)?;
        row += 1;
    }
    Ok(Matrix::from_parts(dim as usize, data))
}

pub(crate) fn read_values<T: Scalar>(input: &mut Input<'_>) -> Result<Values, ReadError> {
    read::<T>(input).map(T::wrap)
}
