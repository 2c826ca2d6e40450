//! An index together with the rows it was built over: all that this crate asks of `elanus-index` is asked here.

use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use elanus_index::{
    Blob, BuildCx, Cancel, Index, IndexFactory, KeyRange, OpenCx, ParamSet, Search, Spec, Stage, no_progress,
};
use elanus_kernels::{AnyRows, Bf16, BitmapView, ElementType, F16, Metric, Neighbor, Number, Rows, TopK};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// What went wrong, for the user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Queries that a thread takes at once. Fewer would have threads wait for each other, more would leave some without work
/// at the end.
const QUERIES_AT_ONCE: usize = 32;

/// More threads than any machine at hand has processors.
const MAX_THREADS: usize = 1024;

/// The id where fewer rows were found than asked for; no row has it.
const NO_ROW: u32 = u32::MAX;

/// An index and its rows.
pub(crate) struct Built {
    index: Box<dyn Index>,
    rows: Values,
    dim: usize,
    /// What threads reuse from search to search: as many as ever searched at once.
    seats: Mutex<Vec<Seat>>,
    /// The threads of the last batch.
    pool: Mutex<Option<Arc<ThreadPool>>>,
}

/// Queries, each a row of `dim` values, and where the ids and keys of the `k` nearest rows of each go.
pub(crate) struct Batch<'a> {
    pub(crate) queries: &'a [f32],
    pub(crate) dim: usize,
    pub(crate) k: usize,
    /// One bit for each row that may be found, in words of 64; all may where there is none.
    pub(crate) filter: Option<&'a [u64]>,
    pub(crate) ids: &'a mut [u32],
    pub(crate) keys: &'a mut [f32],
}

/// What one thread needs to search.
#[derive(Default)]
struct Seat {
    scratch: elanus_index::Scratch,
    nearest: Vec<TopK>,
    sorted: Vec<Neighbor>,
}

/// The names of all index types.
pub(crate) fn kinds() -> Vec<&'static str> {
    elanus_index::INDEXES.iter().map(|factory| factory.name()).collect()
}

/// Values of rows or queries as an index takes them.
enum Values {
    F32(Vec<f32>),
    F16(Vec<F16>),
    Bf16(Vec<Bf16>),
}

impl Values {
    /// Rounds values to the element type of an index.
    fn of(element: ElementType, values: Vec<f32>) -> Self {
        fn rounded<E: Number>(values: &[f32]) -> Vec<E> {
            values.iter().map(|value| E::from_f32(*value)).collect()
        }
        match element {
            ElementType::F16 => Self::F16(rounded(&values)),
            ElementType::Bf16 => Self::Bf16(rounded(&values)),
            ElementType::F32 | ElementType::I8 | ElementType::U8 | ElementType::U4 | ElementType::Binary => {
                Self::F32(values)
            }
        }
    }

    fn rows(&self, dim: usize) -> Result<AnyRows<'_>, Failure> {
        Ok(match self {
            Self::F32(values) => Rows::new(values, dim)?.into(),
            Self::F16(values) => Rows::new(values, dim)?.into(),
            Self::Bf16(values) => Rows::new(values, dim)?.into(),
        })
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::F32(values) => size_of_val(&values[..]),
            Self::F16(values) => size_of_val(&values[..]),
            Self::Bf16(values) => size_of_val(&values[..]),
        }
    }
}

/// Which index is wanted, over rows of that dimension, of which a copy is kept in the element type `element`.
pub(crate) fn spec(
    kind: &str,
    element: &str,
    dim: usize,
    metric: &str,
    params: Vec<(String, String)>,
) -> Result<Spec, Failure> {
    let element = match element {
        "f32" => ElementType::F32,
        "f16" => ElementType::F16,
        "bf16" => ElementType::Bf16,
        _ => return Err(format!("unknown element type {element:?}: known are f32, f16, bf16").into()),
    };
    let unknown = || format!("unknown index type {kind:?}: known are {}", kinds().join(", "));
    let factory: &'static dyn IndexFactory = elanus_index::find(kind).ok_or_else(unknown)?;
    let metric = Metric::parse(metric).ok_or_else(|| format!("unknown metric {metric:?}"))?;
    Ok(Spec::new(factory, element, dim, metric, params)?)
}

impl Built {
    /// Builds an index over `rows` on so many threads.
    pub(crate) fn build(spec: &Spec, rows: Vec<f32>, threads: usize, seed: u64) -> Result<Self, Failure> {
        let pool = match threads {
            0 => return Err("threads must be at least 1".into()),
            1 => None,
            _ => Some(pool(threads)?),
        };
        let cancel = Cancel::new();
        let cx = BuildCx { pool: pool.as_ref(), seed, cancel: &cancel, progress: &no_progress, device: None };
        let rows = Values::of(spec.element(), rows);
        let index = spec.factory().build(spec, rows.rows(spec.dim())?, None, &cx)?;
        Ok(Self::new(index, rows, spec.dim()))
    }

    /// Opens a file that [`Built::save`] wrote, over the same rows.
    pub(crate) fn open(spec: &Spec, rows: Vec<f32>, path: &Path) -> Result<Self, Failure> {
        #[allow(clippy::disallowed_methods, reason = "the file that the caller of a module names, outside any storage")]
        let bytes = fs::read(path)?;
        let index = spec.factory().open(Blob::from_vec(bytes), spec, &OpenCx::default())?;
        let rows = Values::of(spec.element(), rows);
        let row_count = rows.rows(spec.dim())?.len();
        if index.len() != row_count {
            return Err(format!("{row_count} rows given to an index built over {}", index.len()).into());
        }
        Ok(Self::new(index, rows, spec.dim()))
    }

    fn new(index: Box<dyn Index>, rows: Values, dim: usize) -> Self {
        Self { index, rows, dim, seats: Mutex::default(), pool: Mutex::default() }
    }

    /// Writes the index, without its rows.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        #[allow(clippy::disallowed_methods, reason = "the file that the caller of a module names, outside any storage")]
        let mut out = BufWriter::new(fs::File::create(path)?);
        self.index.save(&mut out)?;
        out.flush()?;
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn index_bytes(&self) -> u64 {
        self.index.footprint_bytes()
    }

    pub(crate) fn rows_bytes(&self) -> u64 {
        self.rows.size_bytes() as u64
    }

    pub(crate) fn describe(&self) -> String {
        self.index.describe()
    }

    /// Reads search parameters.
    pub(crate) fn search_params(&self, given: &[(String, String)]) -> Result<ParamSet, Failure> {
        Ok(elanus_index::parse(self.index.factory().params(), Stage::Search, given)?)
    }

    /// Searches for the nearest rows of each query. A single query, or all on one thread, are searched by the calling
    /// thread itself.
    pub(crate) fn search(&self, batch: Batch<'_>, params: &ParamSet, threads: usize) -> Result<(), Failure> {
        let Batch { queries, dim, k, filter, ids, keys } = batch;
        if dim != self.dim {
            return Err(format!("dimension {dim} given to an index of dimension {}", self.dim).into());
        }
        if k == 0 || threads == 0 {
            return Err("k and threads must be at least 1".into());
        }
        if let Some(words) = filter
            && words.len() != self.len().div_ceil(u64::BITS as usize)
        {
            return Err(
                format!("a filter made for another index: {} words for {} rows", words.len(), self.len()).into()
            );
        }
        let filter = filter.map(|words| BitmapView::new(words, self.len()));
        let cancel = Cancel::new();
        let search = Search { k, params, filter, range: KeyRange::ALL, cancel: &cancel };
        let blocks = queries.chunks(QUERIES_AT_ONCE * dim);
        let targets = ids.chunks_mut(QUERIES_AT_ONCE * k).zip(keys.chunks_mut(QUERIES_AT_ONCE * k));
        let mut blocks = blocks.zip(targets);
        if threads == 1 || queries.len() == dim {
            return self.seated(|seat| {
                blocks.try_for_each(|(queries, (ids, keys))| self.block(queries, &search, seat, ids, keys))
            });
        }
        let blocks = Mutex::new(blocks);
        let work = |seat: &mut Seat| -> Result<(), Failure> {
            loop {
                let Some((queries, (ids, keys))) = locked(&blocks).next() else { return Ok(()) };
                self.block(queries, &search, seat, ids, keys)?;
            }
        };
        let pool = self.pool_of(threads)?;
        pool.broadcast(|_| self.seated(work)).into_iter().collect()
    }

    /// Searches for some queries together, as many as there are places.
    fn block(
        &self,
        queries: &[f32],
        search: &Search<'_>,
        seat: &mut Seat,
        ids: &mut [u32],
        keys: &mut [f32],
    ) -> Result<(), Failure> {
        let (rows, element) = (self.rows.rows(self.dim)?, self.index.spec().element());
        let rounded = (element != ElementType::F32).then(|| Values::of(element, queries.to_vec()));
        let queries = match &rounded {
            Some(values) => values.rows(self.dim)?,
            None => Rows::new(queries, self.dim)?.into(),
        };
        // Also where the last search asked for another number, or ended with an error half way.
        seat.nearest.iter_mut().for_each(|one| one.reset(search.k));
        if seat.nearest.len() < queries.len() {
            seat.nearest.resize_with(queries.len(), || TopK::new(search.k));
        }
        let nearest = &mut seat.nearest[..queries.len()];
        if queries.len() == 1 {
            self.index.search(rows, queries.row(0), search, &mut seat.scratch, &mut nearest[0])?;
        } else {
            self.index.search_many(rows, queries, search, &mut seat.scratch, nearest)?;
        }
        ids.fill(NO_ROW);
        keys.fill(f32::INFINITY);
        let targets = ids.chunks_mut(search.k).zip(keys.chunks_mut(search.k));
        for (nearest, (ids, keys)) in nearest.iter_mut().zip(targets) {
            seat.sorted.clear();
            nearest.drain_sorted(&mut seat.sorted);
            for ((id, key), found) in ids.iter_mut().zip(keys).zip(&seat.sorted) {
                (*id, *key) = (found.id, found.key);
            }
        }
        Ok(())
    }

    /// Lends what a search needs.
    fn seated<R>(&self, work: impl FnOnce(&mut Seat) -> R) -> R {
        let mut seat = locked(&self.seats).pop().unwrap_or_default();
        let result = work(&mut seat);
        locked(&self.seats).push(seat);
        result
    }

    fn pool_of(&self, threads: usize) -> Result<Arc<ThreadPool>, Failure> {
        let mut last = locked(&self.pool);
        match &*last {
            Some(pool) if pool.current_num_threads() == threads => Ok(Arc::clone(pool)),
            Some(_) | None => Ok(Arc::clone(last.insert(Arc::new(pool(threads)?)))),
        }
    }
}

fn pool(threads: usize) -> Result<ThreadPool, Failure> {
    if threads > MAX_THREADS {
        return Err(format!("{threads} threads asked for, at most {MAX_THREADS} are started").into());
    }
    Ok(ThreadPoolBuilder::new().num_threads(threads).build()?)
}

/// What is behind a lock is whole between any two statements, so a panic of another thread does not spoil it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
