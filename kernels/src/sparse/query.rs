//! A query that is prepared once and multiplied with many rows.
use super::{SparseRows, SparseVector, key};
use crate::{
    dispatch::{self, KernelError},
    isa::{IsaInfo, Version, versions},
    prefetch,
};

/// A component of the query. An empty slot has the largest index and the value 0, which is also what it says of that
/// index.
#[derive(Clone, Copy, Debug)]
struct Slot {
    index: u32,
    value: f32,
}

const EMPTY: Slot = Slot { index: u32::MAX, value: 0.0 };

/// The filter has a byte for each of so many remainders of an index.
const BYTES: usize = 4096;

/// Slots for each component of the query, at least.
const SPARSITY: usize = 4;

/// Slots in which an index may be, from the one where its search begins. At most a quarter of the slots is taken, so
/// that hardly any index needs more; those that do, which may be all where the indices were chosen against the hash,
/// are searched by halving.
const PROBES: usize = 16;

/// Components of a row that are filtered in one go.
const CHUNK: usize = 256;

/// Candidates that are looked up together, at most.
const CANDIDATES: usize = 4 * CHUNK;

/// Rows whose numbers are given to candidates, so that they fit 32 bits whatever the number of rows.
const BATCH: usize = 1 << 20;

/// The query's components behind two filters and in a hash table. A row has few indices in common with a query, so most
/// of it must be passed over fast: the filters never miss an index of the query, and let few others through.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Bit `31 - index % 32` of word `index / 32 % 32` is set if the query has such an index, and the same of `index /
    /// 32` in the second half.
    pub(super) words: [u32; 64],
    /// Byte `index % BYTES` is 1 if the query has such an index.
    bytes: Box<[u8; BYTES]>,
    /// Open addressing with linear probing; a power of two, at most a quarter full.
    slots: Box<[Slot]>,
    /// 32 less the logarithm of the number of slots.
    shift: u32,
    /// The components that found no slot free, in ascending order of their indices.
    crowded: Vec<Slot>,
}

impl Table {
    fn new(query: SparseVector<'_>) -> Self {
        let count = (query.len().saturating_mul(SPARSITY)).next_power_of_two().max(16);
        let mut table = Self {
            words: [0; 64],
            bytes: Box::new([0; BYTES]),
            slots: vec![EMPTY; count].into_boxed_slice(),
            shift: 32u32.saturating_sub(count.ilog2()),
            crowded: Vec::new(),
        };
        for (index, value) in query.indices.iter().zip(query.values) {
            let upper = index >> 5;
            table.words[upper as usize % 32] |= 1 << (31 - index % 32);
            table.words[32 + (upper >> 5) as usize % 32] |= 1 << (31 - upper % 32);
            table.bytes[*index as usize % BYTES] = 1;
            let (slot, first) = (Slot { index: *index, value: *value }, table.first(*index));
            let mut places = (first..first + PROBES).map(|at| at & (count - 1));
            match places.find(|at| table.slots[*at].index == u32::MAX && table.slots[*at].value == 0.0) {
                Some(at) => table.slots[at] = slot,
                None => table.crowded.push(slot),
            }
        }
        table
    }

    /// The filter's byte for an index.
    #[inline(always)]
    pub(super) fn byte(&self, index: u32) -> u8 {
        self.bytes[index as usize % BYTES]
    }

    /// Where the search for an index begins (Fibonacci hashing: Knuth, "The Art of Computer Programming", volume 3,
    /// section 6.4).
    #[inline(always)]
    fn first(&self, index: u32) -> usize {
        (index.wrapping_mul(0x9e37_79b1) >> self.shift) as usize
    }

    /// The value of an index, 0 where the query has none. The one branch, on whether the first slot ends the search, is
    /// nearly always taken; which of the two ends it met is not a branch, because that is at random.
    #[inline(always)]
    fn value(&self, index: u32) -> f32 {
        let mut at = self.first(index);
        let end = at + PROBES;
        loop {
            // SAFETY: the number of slots is a power of two.
            let slot = unsafe { *self.slots.get_unchecked(at & (self.slots.len() - 1)) };
            // The slot of the largest index ends the search like an empty one. It was the last to find a place, so the
            // search for another index of the query never comes by it.
            let found = slot.index == index;
            if found | (slot.index == u32::MAX) {
                return f32::from_bits(slot.value.to_bits() & u32::from(found).wrapping_neg());
            }
            at += 1;
            if at == end {
                return self.crowded(index);
            }
        }
    }

    /// The value of an index that is in none of its slots. They were taken by other indices before it came, and nothing
    /// was ever taken out.
    #[cold]
    #[inline(never)]
    fn crowded(&self, index: u32) -> f32 {
        self.crowded.binary_search_by_key(&index, |slot| slot.index).map_or(0.0, |at| self.crowded[at].value)
    }
}

/// Components of rows that the query may have, of several rows one after another. Looking them up row by row would end
/// in a mispredicted branch for each row, which costs more than passing over a row does.
pub(super) struct Candidates {
    /// Where the component is in all rows' components.
    pub(super) places: [u32; CANDIDATES + 16],
    /// Which row of the batch it is in.
    pub(super) rows: [u32; CANDIDATES + 16],
    /// How many there are: at most `CANDIDATES - CHUNK` before a chunk is filtered.
    pub(super) count: usize,
}

/// How an instruction set finds the candidates in a chunk.
pub(super) trait Scan {
    /// Adds those of `indices`, a chunk that begins at `place` and is in `row`, that pass a filter of the table, in
    /// order.
    ///
    /// # Safety
    /// The instruction set is available, there are at most [`CHUNK`] indices, and room for them and 16 more.
    unsafe fn filter(table: &Table, indices: &[u32], place: u32, row: u32, to: &mut Candidates);
}

/// The running sum of the row that was looked up last.
struct Running {
    row: u32,
    sum: f64,
}

impl Running {
    /// Adds the products of the candidates, in order, and writes the key of each row that they are in.
    ///
    /// # Safety
    /// Every candidate's place is one of the components of `rows`, and its row has a place in `keys`.
    #[inline(always)]
    unsafe fn add(&mut self, table: &Table, rows: SparseRows<'_>, from: &mut Candidates, keys: &mut [f32]) {
        for (place, row) in from.places[..from.count].iter().zip(&from.rows[..from.count]) {
            let place = *place as usize;
            // An index that the query has not adds a product of 0, which changes no sum, since values are finite and no
            // sum is -0. SAFETY: the caller's duty.
            let (index, value) = unsafe { (*rows.indices.get_unchecked(place), *rows.values.get_unchecked(place)) };
            let product = f64::from(table.value(index)) * f64::from(value);
            // Cleared by a mask where a row begins: a branch would be mispredicted once for each row.
            let going_on = u64::from(*row == self.row).wrapping_neg();
            self.sum = f64::from_bits(self.sum.to_bits() & going_on) + product;
            self.row = *row;
            // SAFETY: the caller's duty.
            unsafe { *keys.get_unchecked_mut(*row as usize) = key(self.sum) };
        }
        from.count = 0;
    }
}

/// The keys of the rows that `ids` names, or of those from `first` on.
///
/// # Safety
/// The instruction set of `S` is available.
#[inline(always)]
unsafe fn batch<S: Scan>(
    table: &Table,
    rows: SparseRows<'_>,
    first: usize,
    ids: Option<&[u32]>,
    keys: &mut [f32],
    candidates: &mut Candidates,
) {
    // A row without candidates has no product.
    keys.fill(0.0);
    let mut running = Running { row: u32::MAX, sum: 0.0 };
    for position in 0..keys.len() {
        let row = match ids {
            None => first + position,
            Some(ids) => {
                if let Some(later) = ids.get(position + prefetch::AHEAD) {
                    let later = rows.row(*later as usize);
                    prefetch::row(later.indices.as_ptr(), later.len());
                }
                ids[position] as usize
            }
        };
        let (mut at, end) = (rows.offsets[row] as usize, rows.offsets[row + 1] as usize);
        while at < end {
            let stop = end.min(at + CHUNK);
            // SAFETY: the caller's duty; there is room for a chunk and 16 more.
            unsafe { S::filter(table, &rows.indices[at..stop], at as u32, position as u32, candidates) };
            if candidates.count > CANDIDATES - CHUNK {
                // SAFETY: the candidates are of this batch, whose rows are within `rows`.
                unsafe { running.add(table, rows, candidates, keys) };
            }
            at = stop;
        }
    }
    // SAFETY: as above.
    unsafe { running.add(table, rows, candidates, keys) };
}

/// The keys of the rows that `ids` names, or of all.
///
/// # Safety
/// The instruction set of `S` is available.
#[inline(always)]
pub(super) unsafe fn many<S: Scan>(table: &Table, rows: SparseRows<'_>, ids: Option<&[u32]>, keys: &mut [f32]) {
    let mut candidates = Candidates { places: [0; CANDIDATES + 16], rows: [0; CANDIDATES + 16], count: 0 };
    for (i, keys) in keys.chunks_mut(BATCH).enumerate() {
        let first = i * BATCH;
        let ids = ids.map(|ids| &ids[first..first + keys.len()]);
        // SAFETY: the caller's duty.
        unsafe { batch::<S>(table, rows, first, ids, keys, &mut candidates) };
    }
}

/// `(table, rows, ids, keys)`; needs the instruction set.
type Many = unsafe fn(&Table, SparseRows<'_>, Option<&[u32]>, &mut [f32]);

/// Compiles the scan for one instruction set.
macro_rules! scan_table {
    (scan: $scan:ty, features: [$($feature:tt),*]) => {
        $(#[target_feature(enable = $feature)])*
        pub(super) unsafe fn many(
            table: &crate::sparse::query::Table,
            rows: crate::sparse::SparseRows<'_>,
            ids: Option<&[u32]>,
            keys: &mut [f32],
        ) {
            // SAFETY: the features are those of this function.
            unsafe { crate::sparse::query::many::<$scan>(table, rows, ids, keys) }
        }
    };
}
pub(super) use scan_table;

const VERSIONS: &[Version<Many>] = versions![x86 AVX512 => super::avx512::many, any SCALAR => super::plain::many];

/// A sparse query, prepared for products with many rows and bound to an instruction set.
///
/// It suits learned sparse vectors, with tens to some hundreds of components, over any space of indices up to all of
/// `u32`: memory is 4 KiB and 32 to 64 bytes a component, and preparing takes a third of a microsecond for 100 of them.
/// Indices chosen to collide in its hash table, in the query or in rows, cost a search by halving each and no more. The
/// sum is the one that [`super::SparseIp`] gives, to the bit.
#[derive(Clone, Debug)]
pub struct SparseQuery {
    isa: &'static IsaInfo,
    run: Many,
    table: Table,
}

impl SparseQuery {
    /// Prepares a query, on the best instruction set that [`dispatch::choice`] allows.
    ///
    /// # Errors
    /// When that set cannot be used.
    pub fn new(query: SparseVector<'_>) -> Result<Self, KernelError> {
        Self::on(dispatch::choice()?, query)
    }

    /// Prepares a query, on the instruction set `isa` or, if there is no code for it, on the next one below.
    ///
    /// # Errors
    /// When this machine does not have that set.
    pub fn on(isa: &'static IsaInfo, query: SparseVector<'_>) -> Result<Self, KernelError> {
        let (isa, run) = dispatch::bind(VERSIONS, isa)?;
        Ok(Self { isa, run, table: Table::new(query) })
    }

    /// Prepares a query for each instruction set that has code of its own and that this CPU can run, best first.
    pub fn all(query: SparseVector<'_>) -> impl Iterator<Item = Self> {
        let table = Table::new(query);
        VERSIONS.iter().filter_map(move |version| {
            version.available().map(|run| Self { isa: version.isa, run, table: table.clone() })
        })
    }

    /// The instruction sets that have code of their own, best first, whether this CPU can run them or not.
    pub fn sets() -> impl Iterator<Item = &'static IsaInfo> {
        VERSIONS.iter().map(|version| version.isa)
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// The key of each row, in order: minus its inner product with the query.
    ///
    /// # Panics
    /// When `keys` has not one place for each row.
    pub fn rows(&self, rows: SparseRows<'_>, keys: &mut [f32]) {
        assert_eq!(keys.len(), rows.len(), "one key for each row");
        // SAFETY: the instruction set is available (see `Version::available`).
        unsafe { (self.run)(&self.table, rows, None, keys) }
    }

    /// The key of each row that `ids` names, in that order. Later rows are prefetched while earlier ones are computed.
    ///
    /// # Panics
    /// When `keys` has not one place for each id, or there is no row of that id.
    pub fn gather(&self, rows: SparseRows<'_>, ids: &[u32], keys: &mut [f32]) {
        assert_eq!(keys.len(), ids.len(), "one key for each id");
        if let Some(largest) = ids.iter().copied().reduce(u32::max) {
            assert!((largest as usize) < rows.len(), "row {largest} of {}", rows.len());
        }
        // SAFETY: as above.
        unsafe { (self.run)(&self.table, rows, Some(ids), keys) }
    }
}
