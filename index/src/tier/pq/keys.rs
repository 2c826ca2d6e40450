//! Keys of a query with decoded rows, by tables or by decoding.

use std::cell::RefCell;

use elanus_kernels::codes::pq8::{Codebooks, Pq8};
use elanus_kernels::{Kernel, Metric, Rows};

use super::beside::{Beside, scale};
use super::pack::{self, BYTE};
use super::{Keys, PqTier};
use crate::SearchError;

/// Rows that are decoded at a time.
const DECODED: usize = 16;

/// Keys as sums of table entries.
pub(super) struct Tables<'a> {
    tier: &'a PqTier,
    scan: Pq8,
    /// 256 entries for each byte of a row.
    tables: Vec<f32>,
    codes: Rows<'a, u8>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(tier: &'a PqTier, query: &[f32]) -> Result<Self, SearchError> {
        let (kind, metric) = (tier.kind, tier.metric);
        let mut tables = vec![0.0; tier.row_bytes() * BYTE];
        let places = tier.levels.first().map_or(BYTE, Codebooks::k);
        let of_level = kind.m * places;
        // Where each code has a byte of its own and 256 entries, the tables need no second form.
        let is_direct = kind.nbits > 4 && places == BYTE;
        let mut apart = vec![0.0; if is_direct { 0 } else { kind.nrq * of_level }];
        let entries: &mut [f32] = if is_direct { &mut tables } else { &mut apart };
        for (level, (books, entries)) in tier.levels.iter().zip(entries.chunks_exact_mut(of_level)).enumerate() {
            let of_rest = metric == Metric::L2 && level > 0;
            books.tables(query, if of_rest { Metric::Ip } else { metric }, entries);
            if of_rest {
                entries.iter_mut().for_each(|entry| *entry *= 2.0);
            }
        }
        if !is_direct {
            pack::tables_of_bytes(kind.nbits, &apart, places, &mut tables);
        }
        // Bytes of a scale have tables of zeros.
        if kind.beside(metric) == Beside::Rest {
            let first = pack::row_bytes(kind);
            for (byte, table) in tables[first * BYTE..].chunks_exact_mut(BYTE).enumerate() {
                tier.rests.table(byte, table);
            }
        }
        Ok(Self { tier, scan: Pq8::new()?, tables, codes: tier.records() })
    }
}

impl Keys for Tables<'_> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        self.scan.gather(&self.tables, self.codes, ids, keys);
        finish(self.tier, ids, keys);
    }
}

/// Brings sums over codes to keys of rows.
fn finish(tier: &PqTier, ids: &[u32], keys: &mut [f32]) {
    if tier.kind.beside(tier.metric) == Beside::Scale {
        for (key, id) in keys.iter_mut().zip(ids) {
            *key *= scale(tier.row(*id as usize));
        }
    }
    // A squared distance made of several sums may be negative by rounding.
    let least = if tier.metric == Metric::L2 { 0.0 } else { f32::NEG_INFINITY };
    for key in keys {
        // Where numbers are so large that there is no sum, the row is far away.
        *key = key.min(f32::INFINITY).max(least);
    }
}

/// Keys of rows that are decoded first.
pub(super) struct Decoded<'a> {
    tier: &'a PqTier,
    kernel: Kernel<f32>,
    query: &'a [f32],
    rows: RefCell<Vec<f32>>,
}

impl<'a> Decoded<'a> {
    pub(super) fn new(tier: &'a PqTier, query: &'a [f32]) -> Result<Self, SearchError> {
        let rows = RefCell::new(vec![0.0; DECODED * tier.dim]);
        Ok(Self { tier, kernel: Kernel::new(tier.metric)?, query, rows })
    }
}

impl Keys for Decoded<'_> {
    fn keys(&self, ids: &[u32], keys: &mut [f32]) {
        let mut rows = self.rows.borrow_mut();
        for (ids, keys) in ids.chunks(DECODED).zip(keys.chunks_mut(DECODED)) {
            let rows = &mut rows[..ids.len() * self.tier.dim];
            for (id, row) in ids.iter().zip(rows.chunks_exact_mut(self.tier.dim)) {
                self.tier.decode(*id as usize, row);
            }
            let rows = Rows::new(rows, self.tier.dim).unwrap_or_else(|_| unreachable!("whole rows were decoded"));
            self.kernel.rows(self.query, rows, keys);
        }
        finish(self.tier, ids, keys);
    }
}
