//! Finished files as bytes: the only memory map, and the alignment that its readers rely on.

use elanus_index::Blob;
use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Alignment of every blob that a [`Dir`](crate::Dir) maps and of every section of a sealed file.
pub const ALIGNMENT: usize = 64;

struct Mapping(Mmap);

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Maps a whole file. A map of no bytes is refused by some systems, so an empty file gives an empty buffer.
pub(crate) fn map_file(file: &File) -> io::Result<Blob> {
    if file.metadata()?.len() == 0 {
        return Ok(Blob::from_vec(Vec::new()));
    }
    // SAFETY: a mapped file may not change while the map lives. `Dir::map` takes finished files only: they are written
    // under another name, synced, renamed, and never opened for writing again; removing one keeps its pages.
    let map = unsafe { Mmap::map(file)? };
    Ok(Blob::from_owner(Arc::new(Mapping(map))))
}

/// Bytes in a buffer that is somewhat too long, from the first aligned place on.
struct Shifted {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl AsRef<[u8]> for Shifted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

/// A copy of the bytes that begins at a multiple of [`ALIGNMENT`].
pub fn aligned(bytes: &[u8]) -> Blob {
    let mut buffer: Vec<u8> = Vec::with_capacity(bytes.len() + ALIGNMENT);
    let address = buffer.as_ptr().addr();
    let start = address.next_multiple_of(ALIGNMENT) - address;
    buffer.resize(start, 0);
    buffer.extend_from_slice(bytes);
    Blob::from_owner(Arc::new(Shifted { bytes: buffer, start, len: bytes.len() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_copies_are_aligned() {
        for len in [0, 1, 63, 64, 65, 5000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let blob = aligned(&bytes);
            assert!(blob.is_aligned(ALIGNMENT));
            assert_eq!(blob.as_slice(), bytes);
        }
    }
}
