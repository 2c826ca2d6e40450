//! The frame around each record: length, checksums, number and place in its group.
//!
//! A group is what one append wrote before its one sync. Until that sync returns, any sectors of the group may be on
//! disk without the ones before them; but no byte of the next group is written before it. So a damaged record that is
//! followed by a record of a later group was damaged after it was durable, and every record says where its group began.

use super::{Lsn, MAX_RECORD_BYTES};

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 24;

/// What stands before a payload. Its bytes are, all little-endian: payload length (4), checksum of number and payload
/// (4), number (8), position in the group (4), checksum of the twenty bytes before (4). Both checksums are CRC-32C
/// that begins with the salt of the file instead of zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the payload.
    pub len: u32,
    /// The number of the record.
    pub lsn: Lsn,
    /// How many records of the same group stand before it.
    pub position: u32,
    payload_crc: u32,
}

impl Header {
    /// The frame of `payload`; `None` if that is longer than [`MAX_RECORD_BYTES`].
    pub fn of(salt: u32, lsn: Lsn, position: u32, payload: &[u8]) -> Option<Self> {
        let len = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_RECORD_BYTES)?;
        Some(Self { len, lsn, position, payload_crc: payload_crc(salt, lsn, payload) })
    }

    /// The bytes that stand before the payload.
    pub fn encode(&self, salt: u32) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&self.len.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.lsn.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.position.to_le_bytes());
        let crc = crc32c::crc32c_append(salt, &bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` if the bytes are not one that [`Header::encode`] can have made with this salt.
    pub fn decode(salt: u32, bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let header = Self { len: u32_at(0), payload_crc: u32_at(4), lsn: lsn_of(bytes), position: u32_at(16) };
        let sound = crc32c::crc32c_append(salt, &bytes[..20]) == u32_at(20)
            && header.len as usize <= MAX_RECORD_BYTES
            && u64::from(header.position) < header.lsn;
        sound.then_some(header)
    }

    /// Whether `payload` is what the header was made of.
    pub fn matches(&self, salt: u32, payload: &[u8]) -> bool {
        payload.len() == self.len as usize && payload_crc(salt, self.lsn, payload) == self.payload_crc
    }

    /// The number of the first record of its group.
    pub fn group(&self) -> Lsn {
        self.lsn - u64::from(self.position)
    }
}

/// The number that a header would hold, checked or not.
pub fn lsn_of(bytes: &[u8; HEADER_BYTES]) -> Lsn {
    u64::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]])
}

fn payload_crc(salt: u32, lsn: Lsn, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(salt, &lsn.to_le_bytes()), payload)
}

#[cfg(test)]
mod tests;
