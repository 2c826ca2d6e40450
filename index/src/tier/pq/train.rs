//! Codebooks from a sample of the rows, and the codes of all rows by them.

use std::ops::Range;

use super::book::Book;
use super::{PqKind, pack};
use crate::graph::levels::mix;
use crate::kmeans::{self, KMeans};
use crate::tier::prq::{self, Beam};
use crate::tier::source::{Source, as_rows};
use crate::{BuildCx, BuildError, no_progress, par};

/// Rows for each centroid in a sample at most: more make hardly better codebooks (faiss takes as many).
const SAMPLE: usize = 256;

/// Rounds of k-means at most, as in faiss.
const ROUNDS: usize = 25;

/// Numbers of a sample that are held at a time, unless a single part has more: 64 MiB.
const HELD: usize = 16 << 20;

/// Rows whose parts are encoded together by a thread.
const PART: usize = 256;

/// Rows encoded between two reports of progress.
const STEP: usize = 64 * PART;

/// How many centroids a codebook has, and all codebooks: `nrq` by `m` by centroids by the components of a part. There
/// is a usable row.
pub(super) fn train(kind: PqKind, source: &Source<'_>, cx: &BuildCx<'_>) -> Result<(usize, Vec<f32>), BuildError> {
    let (most, dsub) = (1_usize << kind.nbits, source.dim() / kind.m);
    let usable: Vec<u32> = source.usable.iter_ones().map(|id| id as u32).collect();
    let chosen = kmeans::sample(usable.len(), SAMPLE * most, mix(cx.seed));
    let ids: Vec<u32> = chosen.into_iter().map(|at| usable[at as usize]).collect();
    let centroids = most.min(ids.len());
    let mut values = vec![0.0; kind.nrq * source.dim() * centroids];
    let together = (HELD / (ids.len() * dsub)).clamp(1, kind.m);
    let half = source.len() as u64 / 2;
    for first in (0..kind.m).step_by(together) {
        let range = first..kind.m.min(first + together);
        let parts = columns(source, &ids, range.clone(), dsub, cx)?;
        for (part, values_of) in range.zip(parts.chunks_exact(ids.len() * dsub)) {
            (cx.progress)(half * part as u64 / kind.m as u64, source.len() as u64);
            let books = train_part(kind, (part, values_of, dsub), centroids, cx)?;
            for (level, book) in books.into_iter().enumerate() {
                values[(level * kind.m + part) * centroids * dsub..][..centroids * dsub].copy_from_slice(&book);
            }
        }
    }
    Ok((centroids, values))
}

/// The codebooks of the levels of one part, from the values of the sample in that part.
fn train_part(
    kind: PqKind,
    (part, values, dsub): (usize, &[f32], usize),
    centroids: usize,
    cx: &BuildCx<'_>,
) -> Result<Vec<Vec<f32>>, BuildError> {
    let quiet = BuildCx { progress: &no_progress, ..*cx };
    let mut trained: Vec<Vec<f32>> = Vec::with_capacity(kind.nrq);
    for level in 0..kind.nrq {
        let left;
        let values = if level == 0 {
            values
        } else {
            let books = trained.iter().map(|book| Book::new(book, dsub)).collect::<Result<Vec<_>, _>>()?;
            left = prq::residuals(&books, values, dsub, cx)?;
            &left
        };
        let seed = mix(cx.seed ^ mix((level * kind.m + part) as u64 + 1));
        let means = KMeans { k: centroids, iterations: ROUNDS, seed, spherical: false };
        let Some(rows) = as_rows(values, dsub) else { return Err(BuildError::Cancelled) };
        trained.push(means.train(rows, &quiet)?);
    }
    Ok(trained)
}

/// The parts in `range` of the rows `ids`: the rows' first part one after another, then their second, and so on.
fn columns(
    source: &Source<'_>,
    ids: &[u32],
    range: Range<usize>,
    dsub: usize,
    cx: &BuildCx<'_>,
) -> Result<Vec<f32>, BuildError> {
    let mut values = vec![0.0; ids.len() * range.len() * dsub];
    let mut row = vec![0.0; source.dim()];
    for (at, id) in ids.iter().enumerate() {
        if at % STEP == 0 && cx.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        source.write(*id as usize, &mut row);
        let parts = row[range.start * dsub..range.end * dsub].chunks_exact(dsub);
        for (part, values) in parts.zip(values.chunks_exact_mut(ids.len() * dsub)) {
            values[at * dsub..][..dsub].copy_from_slice(part);
        }
    }
    Ok(values)
}

/// The codes of all rows, with room for what a row keeps beside them.
pub(super) fn encode(
    kind: PqKind,
    source: &Source<'_>,
    values: &[f32],
    centroids: usize,
    cx: &BuildCx<'_>,
) -> Result<Vec<u8>, BuildError> {
    let dsub = source.dim() / kind.m;
    let books: Vec<Book<'_>> =
        values.chunks_exact(centroids * dsub).map(|book| Book::new(book, dsub)).collect::<Result<_, _>>()?;
    // The levels of each part together.
    let books_of = |part: usize| -> Vec<&Book<'_>> { books[part..].iter().step_by(kind.m).collect() };
    let books: Vec<Vec<&Book<'_>>> = (0..kind.m).map(books_of).collect();
    let row_bytes = kind.row_bytes(source.code_metric());
    let total = source.len() as u64;
    let bytes = source.len().checked_mul(row_bytes).filter(|bytes| *bytes <= isize::MAX as usize);
    let mut codes = vec![0; bytes.ok_or(BuildError::TooLarge { rows: source.len(), degree: row_bytes })?];
    for (step, some) in codes.chunks_mut(STEP * row_bytes).enumerate() {
        par::parts(cx, some, PART * row_bytes, |number, codes| {
            encode_rows(kind, source, &books, step * STEP + number * PART, codes);
            Ok(())
        })?;
        let done = (((step + 1) * STEP) as u64).min(total);
        (cx.progress)(total / 2 + done / 2, total);
    }
    Ok(codes)
}

/// Encodes the rows from `first` on that `codes` has room for.
fn encode_rows(kind: PqKind, source: &Source<'_>, books: &[Vec<&Book<'_>>], first: usize, codes: &mut [u8]) {
    let (dim, dsub, row_bytes) = (source.dim(), source.dim() / kind.m, kind.row_bytes(source.code_metric()));
    let count = codes.len() / row_bytes;
    // Part by part, so that a codebook is read once for all of these rows.
    let mut row = vec![0.0; dim];
    let mut parts = vec![0.0; count * dim];
    for at in 0..count {
        source.write(first + at, &mut row);
        for (part, parts) in row.chunks_exact(dsub).zip(parts.chunks_exact_mut(count * dsub)) {
            parts[at * dsub..][..dsub].copy_from_slice(part);
        }
    }
    let fields = kind.fields();
    let (mut found, mut nearest, mut beam) = (vec![0; count * fields], vec![0; count], Beam::default());
    for (part, (books, parts)) in books.iter().zip(parts.chunks_exact(count * dsub)).enumerate() {
        if let [book] = books[..] {
            book.nearest(parts, &mut nearest);
            found[part..].iter_mut().step_by(fields).zip(&nearest).for_each(|(to, code)| *to = *code);
            continue;
        }
        for (values, found) in parts.chunks_exact(dsub).zip(found.chunks_exact_mut(fields)) {
            let (levels, _) = beam.encode(books, values);
            found[part..].iter_mut().step_by(kind.m).zip(levels).for_each(|(to, code)| *to = *code);
        }
    }
    for (found, row) in found.chunks_exact(fields).zip(codes.chunks_exact_mut(row_bytes)) {
        pack::write(kind, found, row);
    }
}
