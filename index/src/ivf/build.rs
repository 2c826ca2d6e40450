//! How lists are built: centres from a sample, then the lists of each row, then codebooks from the rests of the sample,
//! then the codes list by list.

use elanus_kernels::codes::pq4::CENTROIDS;
use elanus_kernels::codes::pq8::Codebooks;
use elanus_kernels::gemm::{Gemm, Scratch};
use elanus_kernels::{Bitmap, BitmapView, Metric, Number, Rows};

use super::codes::{Coded, Encoder};
use super::space::Space;
use super::{IvfIndex, ListShape, Lists, block_starts, spill};
use crate::array::Array;
use crate::kmeans::{self, KMeans};
use crate::{BuildCx, BuildError, Spec, check, no_progress, par};

/// With fewer rows there are no lists: comparing all is as fast.
const ROWS_MIN: usize = 256;
/// Rows in the sample for each centre, and for the codebooks in all.
const PER_CENTRE: usize = 64;
const FOR_BOOKS: usize = 20_000;
const CENTRE_ROUNDS: usize = 10;
const BOOK_ROUNDS: usize = 12;
/// Rows that one thread puts into lists at a time.
const CHUNK: usize = 4096;
/// Lists that are coded between two looks at the progress.
const LISTS: usize = 64;

/// Parts of a hundred that are done when the centres are found, when the rows are in lists, and when the codebooks are
/// found.
const CENTRES_DONE: u64 = 20;
const CHOSEN_DONE: u64 = 40;
const BOOKS_DONE: u64 = 45;

pub(super) fn build<E: Number>(
    spec: &Spec,
    shape: ListShape,
    rows: Rows<'_, E>,
    present: Option<BitmapView<'_>>,
    cx: &BuildCx<'_>,
) -> Result<IvfIndex, BuildError> {
    if cx.cancel.is_cancelled() {
        return Err(BuildError::Cancelled);
    }
    let all = rows.len() as u64;
    (cx.progress)(0, all);
    // A row that is not finite has no place among neighbours: its keys are NaN or infinite.
    let usable =
        Bitmap::from_fn(rows.len(), |i| present.is_none_or(|bits| bits.get(i)) && check::all_finite(rows.row(i)));
    let nodes = usable.count_ones();
    let lists = if nodes < ROWS_MIN { None } else { Some(Work { spec, shape, rows, cx }.lists(&usable)?) };
    (cx.progress)(all, all);
    let present = (nodes < rows.len()).then(|| Array::Owned(usable.words().to_vec()));
    Ok(IvfIndex { spec: spec.clone(), shape, rows: rows.len(), nodes, present, lists, promise: None })
}

/// What every step of a build looks at.
struct Work<'a, E> {
    spec: &'a Spec,
    shape: ListShape,
    rows: Rows<'a, E>,
    cx: &'a BuildCx<'a>,
}

impl<E: Number> Work<'_, E> {
    /// Tells that so many hundredths are done.
    fn tell(&self, part: u64) {
        let all = self.rows.len() as u64;
        (self.cx.progress)(all * part / 100, all);
    }

    fn lists(&self, usable: &Bitmap) -> Result<Lists, BuildError> {
        let (mut ids, mut loose): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let shell = Space { metric: self.spec.metric(), mean: Array::Owned(Vec::new()) };
        for id in usable.iter_ones() {
            let of = if shell.is_loose(self.rows.row(id)) { &mut loose } else { &mut ids };
            of.push(id as u32);
        }
        let count = self.shape.lists_of(ids.len());
        let sample: Vec<u32> = kmeans::sample(ids.len(), count.saturating_mul(PER_CENTRE), self.cx.seed)
            .iter()
            .map(|at| ids[*at as usize])
            .collect();
        let space = Space::new(self.spec.metric(), self.rows, &sample);
        let centres = self.centres(&space, &sample, count)?;
        self.tell(CENTRES_DONE);
        let centres_rows = rows_of(&centres, self.rows.dim());
        let chosen = self.choose(&space, &ids, centres_rows)?;
        let books = self.books(&space, &sample, centres_rows)?;
        self.tell(BOOKS_DONE);
        let (mut starts, mut entries) = entries(&ids, &chosen, count);
        drop(chosen);
        let codebooks = Codebooks::new(&books, self.shape.codes(self.rows.dim()), CENTROIDS, self.shape.part)?;
        let encoder = Encoder { rows: self.rows, space: &space, codebooks: &codebooks, books: &books };
        let coded = self.code(&encoder, &starts, &entries, centres_rows)?;
        let blocks = block_starts(&starts);
        entries.extend_from_slice(&loose);
        starts.push(entries.len() as u32);
        let (starts, ids) = (Array::Owned(starts), Array::Owned(entries));
        let (codes, terms) = (Array::Owned(coded.codes), Array::Owned(coded.terms));
        let (centres, books) = (Array::Owned(centres), Array::Owned(books));
        Ok(Lists { space, centres, books, codebooks, starts, ids, codes, terms, blocks })
    }

    fn centres(&self, space: &Space, sample: &[u32], count: usize) -> Result<Vec<f32>, BuildError> {
        let mut points = Vec::new();
        space.gather(self.rows, sample, self.rows.dim(), &mut points);
        let progress = |done: u64, all: u64| self.tell(CENTRES_DONE * done / all.max(1));
        let cx = BuildCx { progress: &progress, ..*self.cx };
        let spherical = self.spec.metric() == Metric::Cosine;
        let means = KMeans { k: count, iterations: CENTRE_ROUNDS, seed: self.cx.seed, spherical };
        means.train(rows_of(&points, self.rows.dim()), &cx)
    }

    /// The lists of each row.
    fn choose(&self, space: &Space, ids: &[u32], centres: Rows<'_, f32>) -> Result<Vec<[u32; 2]>, BuildError> {
        let gemm = Gemm::<f32>::new(Metric::L2)?;
        let mut chosen = vec![[spill::NONE; 2]; ids.len()];
        let step = CHUNK * self.cx.pool.map_or(1, rayon::ThreadPool::current_num_threads);
        for (at, (ids, chosen)) in ids.chunks(step).zip(chosen.chunks_mut(step)).enumerate() {
            par::parts(self.cx, chosen, CHUNK, |part, chosen| {
                let (mut points, mut scratch) = (Vec::new(), Scratch::default());
                let ids = &ids[part * CHUNK..][..chosen.len()];
                space.gather(self.rows, ids, self.rows.dim(), &mut points);
                let points = rows_of(&points, self.rows.dim());
                chosen.copy_from_slice(&spill::choose(&gemm, points, centres, self.shape.spill, &mut scratch));
                Ok(())
            })?;
            let done = (at * step + ids.len()) as u64;
            let all = self.rows.len().max(1) as u64;
            self.tell(CENTRES_DONE + (CHOSEN_DONE - CENTRES_DONE) * done.min(all) / all);
        }
        Ok(chosen)
    }

    /// The centroids of the codes, from what the nearest centres leave of the sample.
    fn books(&self, space: &Space, sample: &[u32], centres: Rows<'_, f32>) -> Result<Vec<f32>, BuildError> {
        let (dim, part) = (self.rows.dim(), self.shape.part);
        let width = self.shape.codes(dim) * part;
        let some: Vec<u32> = sample.iter().copied().step_by(sample.len().div_ceil(FOR_BOOKS).max(1)).collect();
        let mut points = Vec::new();
        space.gather(self.rows, &some, dim, &mut points);
        let cx = BuildCx { progress: &no_progress, ..*self.cx };
        let (nearest, _) = kmeans::assign(rows_of(&points, dim), centres, &cx)?;
        for (point, nearest) in points.chunks_exact_mut(dim).zip(&nearest) {
            point.iter_mut().zip(centres.row(*nearest as usize)).for_each(|(value, centre)| *value -= centre);
        }
        let mut books = Vec::with_capacity(width * CENTROIDS);
        let mut column = Vec::new();
        for first in (0..width).step_by(part) {
            column.clear();
            for point in points.chunks_exact(dim) {
                column.extend((first..first + part).map(|d| point.get(d).copied().unwrap_or(0.0)));
            }
            let seed = self.cx.seed.wrapping_add(1 + first as u64);
            let means = KMeans { k: CENTROIDS, iterations: BOOK_ROUNDS, seed, spherical: false };
            books.extend(means.train(rows_of(&column, part), &cx)?);
        }
        Ok(books)
    }

    /// The codes of all lists.
    fn code(
        &self,
        encoder: &Encoder<'_, E>,
        starts: &[u32],
        entries: &[u32],
        centres: Rows<'_, f32>,
    ) -> Result<Coded, BuildError> {
        let mut all = Coded::default();
        let count = centres.len();
        for first in (0..count).step_by(LISTS) {
            let mut coded: Vec<Coded> = Vec::new();
            coded.resize_with(LISTS.min(count - first), Coded::default);
            par::parts(self.cx, &mut coded, 1, |at, coded| {
                let list = first + at;
                let ids = &entries[starts[list] as usize..starts[list + 1] as usize];
                coded[0] = encoder.list(ids, centres.row(list));
                Ok(())
            })?;
            for coded in coded {
                all.codes.extend_from_slice(&coded.codes);
                all.terms.extend_from_slice(&coded.terms);
            }
            let done = (first + LISTS).min(count) as u64;
            self.tell(BOOKS_DONE + (100 - BOOKS_DONE) * done / count as u64);
        }
        Ok(all)
    }
}

/// Where the entries of each list begin and the last ones end, and the rows of the entries, ascending in each list.
fn entries(ids: &[u32], chosen: &[[u32; 2]], lists: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0u32; lists + 1];
    let every = || chosen.iter().zip(ids).flat_map(|(two, id)| two.iter().map(move |list| (*list, *id)));
    for (list, _) in every().filter(|(list, _)| *list != spill::NONE) {
        starts[list as usize + 1] += 1;
    }
    for at in 0..lists {
        starts[at + 1] += starts[at];
    }
    let mut next = starts.clone();
    let mut entries = vec![0; starts[lists] as usize];
    for (list, id) in every().filter(|(list, _)| *list != spill::NONE) {
        entries[next[list as usize] as usize] = id;
        next[list as usize] += 1;
    }
    (starts, entries)
}

fn rows_of(values: &[f32], dim: usize) -> Rows<'_, f32> {
    Rows::new(values, dim).unwrap_or_else(|_| unreachable!("only whole rows were gathered"))
}
