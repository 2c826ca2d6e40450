//! The k nearest seen so far, in a total order, so the push order never shows.
//!
//! A neighbor is one integer that is ordered as neighbors are. Up to [`SMALL`] of them are kept sorted, so that the
//! threshold is always exact. More are collected in a reservoir (as in the Faiss library, `ReservoirTopN`): what is
//! below the threshold is appended, and when twice k are there, a selection in linear time drops the worse half and
//! lowers the threshold.
mod loops;
mod neighbor;
mod range;
#[cfg(test)]
mod tests;

use std::{mem::MaybeUninit, sync::OnceLock};

pub(crate) use self::loops::Loops;
use self::loops::{Offer, VERSIONS};
pub use self::neighbor::{pack, unpack};
pub use self::{neighbor::Neighbor, range::KeyRange};
use crate::{
    bitmap::BitmapView,
    dispatch::{self, KernelError},
    isa::{self, IsaInfo, SCALAR},
};

/// Up to so many neighbors are kept sorted.
const SMALL: usize = 32;

/// Keys after which a selection looks at its threshold anew.
const CHUNK: usize = 1024;

/// Keys after which it does so the first time.
const FIRST_CHUNK: usize = 64;

/// From so many on, neighbors that may enter a small selection are sorted in together.
const MANY: usize = 8;

/// Entries that a reservoir has room for beyond k, at least: a selection should not run for a handful.
const SPARE: usize = 256;

/// The bound before k are kept. No neighbor is packed into it.
const OPEN: u64 = u64::MAX;

/// Keeps the `k` smallest of what is pushed.
///
/// Of equal keys the smaller id is kept, so the result depends on what was pushed and never on the order. An id that
/// is pushed twice counts twice. A key of -0 is the key 0, and comes back as such.
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    /// Packed; sorted where k is small, else in any order and more than k of them.
    entries: Vec<u64>,
    /// Only what is less may enter.
    bound: u64,
    isa: &'static IsaInfo,
    loops: Loops,
}

impl TopK {
    /// An empty selection of at most `k`, on the best instruction set that [`dispatch::choice`] allows; plain Rust,
    /// which selects the same, where that is an error.
    pub fn new(k: usize) -> Self {
        Self::from_version(chosen(), k)
    }

    /// An empty selection of at most `k`, on the instruction set `isa` or, if there is no code for it, on the next one
    /// below it in [`crate::ISAS`].
    ///
    /// # Errors
    /// When this machine does not have that set.
    pub fn on(isa: &'static IsaInfo, k: usize) -> Result<Self, KernelError> {
        Ok(Self::from_version(dispatch::bind(VERSIONS, isa)?, k))
    }

    /// An empty selection for each instruction set that has code of its own and that this CPU can run, best first.
    pub fn all(k: usize) -> impl Iterator<Item = Self> {
        let runs = VERSIONS.iter().filter_map(|version| version.available().map(|run| (version.isa, run)));
        runs.map(move |version| Self::from_version(version, k))
    }

    /// The instruction sets that have code of their own, best first, whether this CPU can run them or not.
    pub fn sets() -> impl Iterator<Item = &'static IsaInfo> {
        VERSIONS.iter().map(|version| version.isa)
    }

    fn from_version((isa, loops): (&'static IsaInfo, Loops), k: usize) -> Self {
        Self { k, entries: Vec::new(), bound: first_bound(k), isa, loops }
    }

    /// Empties the selection and sets a new `k`, keeping the memory.
    pub fn reset(&mut self, k: usize) {
        self.entries.clear();
        self.k = k;
        self.bound = first_bound(k);
    }

    /// How many are kept at most.
    pub const fn k(&self) -> usize {
        self.k
    }

    /// How many are kept now.
    pub fn len(&self) -> usize {
        self.entries.len().min(self.k)
    }

    /// Whether nothing is kept.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// Infinity until `k` are kept, and then a key that is not below the worst kept one; negative infinity when `k` is
    /// 0. A larger key cannot enter; an equal key can, with a smaller id.
    ///
    /// It is the worst kept key itself while `k` is at most 32. Where `k` is larger it is the worst key kept a while
    /// ago, which [`TopK::tighten`] makes exact. It never rises.
    #[inline]
    pub fn threshold(&self) -> f32 {
        match self.bound {
            _ if self.k == 0 => f32::NEG_INFINITY,
            OPEN => f32::INFINITY,
            bound => unpack(bound).key,
        }
    }

    /// Makes the threshold the worst kept key and returns it, in time linear in `k`: worth it where a sharp threshold
    /// saves more, as between the lists of an inverted file.
    pub fn tighten(&mut self) -> f32 {
        if self.entries.len() > self.k {
            self.shrink();
        }
        self.threshold()
    }

    /// Offers a neighbor and says whether it was taken, be it for a while. A NaN key never is.
    #[inline]
    pub fn push(&mut self, id: u32, key: f32) -> bool {
        let packed = pack(key, id);
        let taken = !key.is_nan() && packed < self.bound;
        if taken {
            self.insert(packed);
        }
        taken
    }

    /// Offers rows `first_id..` with their keys, leaving out those whose bit in `keep` is clear. Bit `i` of `keep`
    /// speaks for `keys[i]`.
    ///
    /// # Panics
    /// When `keep` is shorter than `keys`, or an id would not fit 32 bits.
    pub fn push_block(&mut self, first_id: u32, keys: &[f32], keep: Option<BitmapView<'_>>) {
        self.push_block_within(first_id, keys, keep, KeyRange::ALL);
    }

    /// As [`TopK::push_block`], leaving out keys outside of `range`.
    ///
    /// # Panics
    /// As [`TopK::push_block`].
    pub fn push_block_within(&mut self, first_id: u32, keys: &[f32], keep: Option<BitmapView<'_>>, range: KeyRange) {
        if let Some(keep) = keep {
            assert!(keep.len() >= keys.len(), "{} filter bits for {} keys", keep.len(), keys.len());
        }
        assert!(
            keys.len() as u64 <= (1 << 32) - u64::from(first_id),
            "{} ids from {first_id} pass 32 bits",
            keys.len()
        );
        let words = keep.map(|keep| &keep.words()[..keys.len().div_ceil(64)]);
        self.offer(Offer { keys, ids: None, words, first_id }, range);
    }

    /// Offers rows `first_id + ids[i]` with their keys, leaving out keys outside of `range`.
    ///
    /// # Panics
    /// When there is not one key for each id, or an id would not fit 32 bits.
    pub fn push_ids(&mut self, first_id: u32, ids: &[u32], keys: &[f32], range: KeyRange) {
        assert_eq!(keys.len(), ids.len(), "one key for each id");
        if first_id > 0 {
            let largest = ids.iter().copied().fold(0, u32::max);
            assert!(first_id.checked_add(largest).is_some(), "id {largest} from {first_id} passes 32 bits");
        }
        self.offer(Offer { keys, ids: Some(ids), words: None, first_id }, range);
    }

    /// Offers everything that `other` keeps.
    pub fn merge(&mut self, other: &TopK) {
        if other.entries.len() > other.k && self.k > other.k {
            // What `other` collected beyond what it keeps could enter here.
            let mut kept = other.clone();
            kept.tighten();
            return self.merge(&kept);
        }
        for packed in &other.entries {
            self.offer_packed(*packed);
        }
    }

    /// What was kept, nearest first.
    pub fn into_sorted(mut self) -> Vec<Neighbor> {
        let mut sorted = Vec::new();
        self.drain_sorted(&mut sorted);
        sorted
    }

    /// Appends what was kept to `out`, nearest first, and is empty afterwards with the same `k`.
    pub fn drain_sorted(&mut self, out: &mut Vec<Neighbor>) {
        self.tighten();
        self.entries.sort_unstable();
        out.extend(self.entries.iter().map(|packed| unpack(*packed)));
        self.reset(self.k);
    }

    /// Offers keys, all of them good to read, in chunks between which the threshold falls.
    fn offer(&mut self, offer: Offer<'_>, range: KeyRange) {
        match self.k {
            0 => return,
            1 if offer.is_plain() && range.is_all() => return self.offer_to_one(offer),
            _ => {}
        }
        let last = range.last();
        let mut start = 0;
        while start < offer.keys.len() {
            let count = if self.bound == OPEN && self.k <= SMALL { FIRST_CHUNK } else { CHUNK };
            let part = offer.part(start, count);
            let bound = self.bound_of(&part, last);
            if self.k <= SMALL {
                self.offer_small(part, range.lower, bound);
            } else {
                self.offer_large(part, range.lower, bound);
            }
            start += count;
        }
    }

    /// Offers keys of rows that come in order and are all kept to a selection of one.
    fn offer_to_one(&mut self, offer: Offer<'_>) {
        for start in (0..offer.keys.len()).step_by(CHUNK) {
            let part = offer.part(start, CHUNK);
            if let Some(at) = self.loops.argmin(part.keys) {
                self.offer_packed(pack(part.keys[at], part.first_id + at as u32));
            }
        }
    }

    /// The largest key of `part` that may enter, and that is not above `last`; NaN if none may.
    #[inline]
    fn bound_of(&self, part: &Offer<'_>, last: f32) -> f32 {
        if self.bound == OPEN {
            return last;
        }
        let worst = unpack(self.bound);
        // Of rows that come in order, an equal key has a larger id, and does not pass: keys of few values would all.
        let behind = part.ids.is_none() && part.first_id >= worst.id;
        let own = if behind { worst.key.next_down() } else { worst.key };
        if own < last { own } else { last }
    }

    fn offer_small(&mut self, part: Offer<'_>, lower: f32, bound: f32) {
        let mut room = [const { MaybeUninit::uninit() }; SMALL + CHUNK];
        let kept = self.entries.len();
        let passed = part.compact(&self.loops, lower, bound, &mut room[kept..]);
        if passed < MANY {
            for packed in &room[kept..kept + passed] {
                // SAFETY: so many were written.
                self.offer_packed(unsafe { packed.assume_init() });
            }
            return;
        }
        room[..kept].write_copy_of_slice(&self.entries);
        // SAFETY: so many were written.
        let mut all = unsafe { room[..kept + passed].assume_init_mut() };
        if all.len() > self.k {
            all = all.select_nth_unstable(self.k).0;
        }
        all.sort_unstable();
        self.entries.clear();
        self.entries.extend_from_slice(all);
        if all.len() == self.k {
            self.bound = all[self.k - 1];
        }
    }

    fn offer_large(&mut self, part: Offer<'_>, lower: f32, bound: f32) {
        self.entries.reserve(CHUNK);
        let len = self.entries.len();
        let passed = part.compact(&self.loops, lower, bound, self.entries.spare_capacity_mut());
        // SAFETY: so many were written after the `len` there were.
        unsafe { self.entries.set_len(len + passed) };
        self.check_full();
    }

    #[inline]
    fn offer_packed(&mut self, packed: u64) {
        if packed < self.bound {
            self.insert(packed);
        }
    }

    /// Takes a neighbor that is below the bound.
    fn insert(&mut self, packed: u64) {
        if self.k > SMALL {
            self.entries.push(packed);
            return self.check_full();
        }
        if self.entries.len() < self.k {
            self.entries.push(packed);
        }
        let entries = &mut self.entries[..];
        let mut to = entries.len() - 1;
        while to > 0 && entries[to - 1] > packed {
            entries[to] = entries[to - 1];
            to -= 1;
        }
        entries[to] = packed;
        if entries.len() == self.k {
            self.bound = entries[self.k - 1];
        }
    }

    /// Lowers the bound of a reservoir that has k entries for the first time, or that is full.
    #[inline]
    fn check_full(&mut self) {
        if self.entries.len() < self.k {
            return;
        }
        if self.bound == OPEN {
            self.bound = self.entries.iter().copied().fold(0, u64::max);
        }
        if self.entries.len() >= self.k.saturating_mul(2).max(self.k.saturating_add(SPARE)) {
            self.shrink();
        }
    }

    /// Drops what is not among the k best.
    fn shrink(&mut self) {
        if let Some(last) = self.k.checked_sub(1) {
            self.bound = *self.entries.select_nth_unstable(last).1;
        }
        self.entries.truncate(self.k);
    }
}

/// The loops of the best instruction set that [`dispatch::choice`] allows, or of plain Rust where that is an error.
pub(crate) fn chosen() -> (&'static IsaInfo, Loops) {
    static CHOSEN: OnceLock<(&'static IsaInfo, Loops)> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let limit = dispatch::choice().unwrap_or(&SCALAR);
        isa::pick(VERSIONS, limit).expect("plain Rust is always available")
    })
}

/// The bound of an empty selection.
const fn first_bound(k: usize) -> u64 {
    if k == 0 { 0 } else { OPEN }
}
