//! The first page of a catalog file: what it is, its format, and the revision that it must not fall behind.
//!
//! The storage engine answers a damaged commit by going back to the one before, which is right after a crash and wrong
//! after damage to a commit that was acknowledged. So the revision of each acknowledged commit is written here too, in
//! two slots in turn, so that a torn write leaves the one before.

use elanus_segment::dir::DirFile;

use super::super::{MetaError, Rev};
use super::io_error;

/// Length of the page; the storage engine's bytes begin here.
pub(super) const GUARD_BYTES: u64 = 4096;

/// The format that this build writes, and the latest that it reads.
const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"ELANUSMT";

/// Where each slot begins: in sectors of their own, so that no write touches both.
const SLOTS: [u64; 2] = [1024, 2048];

/// A fresh page, little-endian: magic (8), format (4), CRC-32C of those (4), zeros; then each slot: revision (8), CRC-32C
/// of it (4), zeros.
pub(super) fn fresh() -> Vec<u8> {
    let mut page = vec![0; GUARD_BYTES as usize];
    page[0..8].copy_from_slice(&MAGIC);
    page[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    let crc = crc32c::crc32c(&page[..12]);
    page[12..16].copy_from_slice(&crc.to_le_bytes());
    for slot in SLOTS {
        page[slot as usize..][..12].copy_from_slice(&encode(0));
    }
    page
}

/// Reads the page of a file and returns the latest revision that was acknowledged.
pub(super) fn read(file: &dyn DirFile, path: &str) -> Result<Rev, MetaError> {
    let corrupt = |what: String| MetaError::Corrupt { file: path.to_owned(), what };
    let len = file.len().map_err(io_error("read", path))?;
    if len <= GUARD_BYTES {
        return Err(corrupt(format!("it ends at byte {len}")));
    }
    let mut page = vec![0; GUARD_BYTES as usize];
    file.read_at(0, &mut page).map_err(io_error("read", path))?;
    if page[0..8] != MAGIC {
        return Err(corrupt("it does not begin as a catalog file does".to_owned()));
    }
    // Before the checksum: a later format may put it elsewhere.
    let found = u32::from_le_bytes([page[8], page[9], page[10], page[11]]);
    if found > FORMAT {
        return Err(MetaError::Newer { file: path.to_owned(), found, known: FORMAT });
    }
    let bare =
        |range: std::ops::Range<u64>| page[range.start as usize..range.end as usize].iter().all(|&byte| byte == 0);
    let zeros = [16..SLOTS[0], SLOTS[0] + 12..SLOTS[1], SLOTS[1] + 12..GUARD_BYTES];
    if found != FORMAT || crc32c::crc32c(&page[..12]).to_le_bytes() != page[12..16] || !zeros.into_iter().all(bare) {
        return Err(corrupt("its first page fails its checksum".to_owned()));
    }
    let revs = SLOTS.iter().filter_map(|&slot| decode(&page[slot as usize..][..12]));
    revs.max().ok_or_else(|| corrupt("both records of its revision fail their checksum".to_owned()))
}

/// Notes that a revision is acknowledged; durable when it returns.
pub(super) fn write(file: &dyn DirFile, path: &str, rev: Rev) -> Result<(), MetaError> {
    file.write_at(SLOTS[usize::from(rev % 2 == 1)], &encode(rev)).map_err(io_error("write", path))?;
    file.sync_data().map_err(io_error("sync", path))
}

fn encode(rev: Rev) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&rev.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..8]);
    bytes[8..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Rev> {
    let (rev, crc) = bytes.split_first_chunk::<8>()?;
    let sound = crc32c::crc32c(rev).to_le_bytes() == *crc;
    sound.then_some(Rev::from_le_bytes(*rev))
}
