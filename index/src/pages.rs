//! Memory for large arrays that are read here and there: on large pages where the system has them.
//!
//! A walk reads each record at a place of its own. On pages of 4 KiB nearly each of those reads needs a translation of its
//! address that the processor no longer has, and waits for that as well. Systems that give out large pages only on request
//! (`madvise` in `/sys/kernel/mm/transparent_hugepage/enabled`, the usual setting) are asked for them here.

use std::fmt;

use memmap2::MmapMut;

/// From so many bytes on: there is at least one whole large page of 2 MiB in them, wherever they begin.
const FROM: usize = 4 << 20;

/// Bytes that begin at a page.
pub(crate) struct Pages(MmapMut);

impl Pages {
    /// Zeros; `None` when there are few or the system has no memory of this kind.
    pub(crate) fn zeros(len: usize) -> Option<Self> {
        let map = (len >= FROM).then(|| MmapMut::map_anon(len).ok())??;
        // Without large pages the memory serves as well, only more slowly.
        #[cfg(target_os = "linux")]
        drop(map.advise(memmap2::Advice::HugePage));
        Some(Self(map))
    }

    /// The bytes for change.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_get_no_pages_and_many_are_zeros_that_can_be_written() {
        assert!(Pages::zeros(0).is_none() && Pages::zeros(FROM - 1).is_none());
        let mut pages = Pages::zeros(FROM + 1).unwrap();
        assert_eq!(pages.as_ref().len(), FROM + 1);
        assert!(pages.as_ref().iter().all(|byte| *byte == 0));
        assert_eq!(pages.as_ref().as_ptr().align_offset(4096), 0);
        pages.bytes_mut()[FROM] = 7;
        assert_eq!(pages.as_ref()[FROM], 7);
    }
}
