//! The two loops of a selection that have code for each instruction set.
//!
//! Stream compaction: of a block of keys, those that may enter, packed with their ids. After the first few thousand
//! rows hardly any key passes, so the loops are made for the block of which none does. And the place of the least key,
//! for a selection of one.
use std::mem::MaybeUninit;

use crate::isa::{Version, versions};

mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

/// What a version is given. The pointers are good for `count` keys.
pub(super) struct Block {
    keys: *const f32,
    /// Null where the ids are consecutive.
    ids: *const u32,
    /// Bit `i % 64` of word `i / 64` speaks for key `i`; null where every row is kept.
    words: *const u64,
    count: usize,
    /// Added to the ids, or the first one.
    first_id: u32,
    /// The least key that passes; where it is NaN none does.
    lower: f32,
    /// The largest key that passes; where it is NaN none does.
    bound: f32,
}

impl Block {
    /// Whether key `i` is kept.
    ///
    /// # Safety
    /// `i` is below `count`.
    #[inline(always)]
    unsafe fn keeps(&self, i: usize) -> bool {
        // SAFETY: where `words` is not null, there is a word for each 64 keys.
        self.words.is_null() || unsafe { *self.words.add(i / 64) >> (i % 64) & 1 == 1 }
    }

    /// The id of key `i`.
    ///
    /// # Safety
    /// `i` is below `count`.
    #[inline(always)]
    unsafe fn id(&self, i: usize) -> u32 {
        // SAFETY: where `ids` is not null, there is one for each key.
        let own = if self.ids.is_null() { i as u32 } else { unsafe { *self.ids.add(i) } };
        self.first_id.wrapping_add(own)
    }
}

/// The loops on one instruction set, which is available: only [`Version::available`] hands them out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loops {
    /// Writes what passes to a place with room for `count`, rounded up to a multiple of [`PAD`]; returns how many
    /// passed.
    compact: unsafe fn(&Block, *mut u64) -> usize,
    /// `(keys, count)`: the first place of the least key that is not NaN and less than infinity, or `count` if there
    /// is none. `count` is below 2^31.
    argmin: unsafe fn(*const f32, usize) -> usize,
}

/// Versions write whole registers, so the room for what passes is a multiple of this.
const PAD: usize = 16;

pub(super) const VERSIONS: &[Version<Loops>] = versions![
    x86 AVX512 => Loops { compact: avx512::compact, argmin: avx512::argmin },
    x86 AVX2 => Loops { compact: avx2::compact, argmin: avx2::argmin },
    arm NEON => Loops { compact: neon::compact, argmin: neon::argmin },
    any SCALAR => Loops { compact: scalar::compact, argmin: scalar::argmin },
];

impl Loops {
    /// The first place of the least key; `None` where every key is NaN.
    #[inline]
    pub(crate) fn argmin(&self, keys: &[f32]) -> Option<usize> {
        const MOST: usize = 1 << 30;
        let mut least: Option<usize> = None;
        for (part, start) in keys.chunks(MOST).zip((0..).step_by(MOST)) {
            // SAFETY: the instruction set is available, and pointer and length are those of a slice.
            let at = unsafe { (self.argmin)(part.as_ptr(), part.len()) };
            if at < part.len() && least.is_none_or(|best| part[at] < keys[best]) {
                least = Some(start + at);
            }
        }
        // Where no key is below infinity, one may be infinity.
        least.or_else(|| keys.iter().position(|key| !key.is_nan()))
    }
}

/// Keys with their ids and filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer<'a> {
    pub(super) keys: &'a [f32],
    pub(super) ids: Option<&'a [u32]>,
    pub(super) words: Option<&'a [u64]>,
    pub(super) first_id: u32,
}

impl Offer<'_> {
    /// Whether every key is offered, and the ids are consecutive.
    pub(super) const fn is_plain(&self) -> bool {
        self.ids.is_none() && self.words.is_none()
    }

    /// The part of at most `count` keys from `start`, a multiple of 64.
    #[inline]
    pub(super) fn part(&self, start: usize, count: usize) -> Self {
        debug_assert!(start.is_multiple_of(64));
        let end = self.keys.len().min(start + count);
        Offer {
            keys: &self.keys[start..end],
            ids: self.ids.map(|ids| &ids[start..end]),
            words: self.words.map(|words| &words[start / 64..end.div_ceil(64)]),
            first_id: if self.ids.is_some() { self.first_id } else { self.first_id + start as u32 },
        }
    }

    /// Writes what is from `lower` to `bound`, both included, to `out` and returns how many that are.
    #[inline]
    pub(super) fn compact(&self, loops: &Loops, lower: f32, bound: f32, out: &mut [MaybeUninit<u64>]) -> usize {
        let count = self.keys.len();
        assert!(out.len() >= count.next_multiple_of(PAD), "room for {count} keys");
        assert!(self.ids.is_none_or(|ids| ids.len() == count), "one id for each key");
        assert!(self.words.is_none_or(|words| words.len() == count.div_ceil(64)), "one bit for each key");
        let block = Block {
            keys: self.keys.as_ptr(),
            ids: self.ids.map_or(std::ptr::null(), <[u32]>::as_ptr),
            words: self.words.map_or(std::ptr::null(), <[u64]>::as_ptr),
            count,
            first_id: self.first_id,
            lower,
            bound,
        };
        // SAFETY: the instruction set is available, and the lengths were checked.
        unsafe { (loops.compact)(&block, out.as_mut_ptr().cast()) }
    }
}
