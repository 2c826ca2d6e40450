//! The first bytes of a log file: what it is, its format, its salt and its first record.

use super::{Lsn, WalError};

/// Length of the header in bytes; records begin here.
pub(super) const FILE_HEADER_BYTES: u64 = 32;

/// The format that this build writes, and the latest that it reads.
pub(super) const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"ELANUSWL";

/// The header of a file, little-endian: magic (8), format (4), salt (4), first record (8), zeros (4), CRC-32C of all
/// before (4).
pub(super) fn encode(first: Lsn, salt: u32) -> [u8; FILE_HEADER_BYTES as usize] {
    let mut bytes = [0; FILE_HEADER_BYTES as usize];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[12..16].copy_from_slice(&salt.to_le_bytes());
    bytes[16..24].copy_from_slice(&first.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads the header of the file that is named after record `first`, and returns its salt.
pub(super) fn decode(file: &str, first: Lsn, bytes: &[u8; FILE_HEADER_BYTES as usize]) -> Result<u32, WalError> {
    let corrupt = |offset: u64, what: String| WalError::Corrupt { file: file.to_owned(), offset, what };
    let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if bytes[0..8] != MAGIC {
        return Err(corrupt(0, "it does not begin as a log file does".to_owned()));
    }
    // Before the checksum: a later format may put it elsewhere.
    let format = u32_at(8);
    if format > FORMAT {
        return Err(WalError::Newer { file: file.to_owned(), found: format, known: FORMAT });
    }
    if crc32c::crc32c(&bytes[..28]) != u32_at(28) {
        return Err(corrupt(0, "the header of the file fails its checksum".to_owned()));
    }
    let held = u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32;
    if format != FORMAT || held != first || u32_at(24) != 0 {
        return Err(corrupt(8, format!("it says format {format}, first record {held} and {} for zero", u32_at(24))));
    }
    Ok(u32_at(12))
}
