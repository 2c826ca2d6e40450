//! How the codes of a row lie in bytes, and the tables by which bytes are looked up.
//!
//! Codes of 1, 2, 3 or 4 bits share a byte, as many as fit, the first one in the lowest bits; codes of 5 to 8 bits have
//! a byte each. Bits that belong to no code are written as 0 and mean nothing, so any bytes are valid. Wider codes have
//! 2 or 3 bytes each, little-endian.

use super::PqKind;

/// Entries of the table of a byte.
pub(super) const BYTE: usize = 256;

/// Codes that share a byte, for codes of up to 8 bits.
fn per_byte(nbits: u32) -> usize {
    (8 / nbits) as usize
}

/// Bytes of a code above 8 bits.
fn wide(nbits: u32) -> usize {
    nbits.div_ceil(8) as usize
}

/// Bytes of a row of codes.
pub(super) fn row_bytes(kind: PqKind) -> usize {
    if kind.has_tables() { kind.fields().div_ceil(per_byte(kind.nbits)) } else { kind.fields() * wide(kind.nbits) }
}

/// Writes the codes of a row; `to` may be longer.
pub(super) fn write(kind: PqKind, codes: &[u32], to: &mut [u8]) {
    if kind.has_tables() {
        for (codes, byte) in codes.chunks(per_byte(kind.nbits)).zip(to) {
            *byte = codes.iter().rev().fold(0, |byte, code| byte << kind.nbits | *code) as u8;
        }
    } else {
        for (code, to) in codes.iter().zip(to.chunks_exact_mut(wide(kind.nbits))) {
            to.copy_from_slice(&code.to_le_bytes()[..to.len()]);
        }
    }
}

/// The code at `place` of a row; from forged bytes any number below `2^24`.
pub(super) fn read(kind: PqKind, row: &[u8], place: usize) -> usize {
    if kind.has_tables() {
        let (per, nbits) = (per_byte(kind.nbits), kind.nbits as usize);
        usize::from(row[place / per]) >> (nbits * (place % per)) & ((1 << nbits) - 1)
    } else {
        let width = wide(kind.nbits);
        row[place * width..][..width].iter().rev().fold(0, |code, byte| code << 8 | usize::from(*byte))
    }
}

/// Makes the tables of bytes, 256 entries for each, from those of codes, `places` entries for each: an entry is the sum
/// of those of the codes that share the byte. A code that has no entry counts as 0, and bits of no code as nothing.
pub(super) fn tables_of_bytes(nbits: u32, entries: &[f32], places: usize, tables: &mut [f32]) {
    let codes = 1 << nbits;
    let shared = entries.chunks(per_byte(nbits) * places);
    for (entries, table) in shared.zip(tables.chunks_exact_mut(BYTE)) {
        table[0] = 0.0;
        let mut len = 1;
        for entries in entries.chunks_exact(places) {
            // The last copy is onto itself.
            for code in (0..codes).rev() {
                let entry = entries.get(code).unwrap_or(&entries[0]);
                for i in 0..len {
                    table[code * len + i] = table[i] + entry;
                }
            }
            len *= codes;
        }
        while len < BYTE {
            table.copy_within(0..len, len);
            len *= 2;
        }
    }
}
