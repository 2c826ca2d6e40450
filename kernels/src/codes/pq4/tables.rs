//! The tables of a query, quantised to bytes.
use super::{Lut, PREFETCH_BYTES};
use crate::codes::byte_tables::ByteTables;

/// The tables of one query: sixteen bytes for each sub-quantizer, and the way from a sum of such bytes to a key.
pub type Pq4Tables = ByteTables<16>;

impl Pq4Tables {
    /// What a scan needs, but for the place of the keys.
    pub(super) const fn view(&self) -> Lut {
        Lut {
            tables: self.as_ptr(),
            bias: self.bias(),
            step: self.step(),
            keys: std::ptr::null_mut(),
            ahead: PREFETCH_BYTES,
        }
    }
}
