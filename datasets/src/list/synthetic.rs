//! Made-up sets of any size, named by their rows and dimension.

use elanus_kernels::Metric;

use super::{Dataset, Places};
use crate::error::DatasetError;
use crate::file::MAX_DIM;
use crate::matrix::Matrix;
use crate::set::{Parts, Set};
use crate::synth::{Clusters, uniform};

/// The most values in a base: 16 GiB of `f32`.
const VALUES_MAX: u64 = 1 << 32;

const QUERIES: usize = 1_000;

/// One seed for each stream of a recipe; a set's numbers hold for as long as these do.
const CENTRE_SEED: u64 = 1;
const BASE_SEED: u64 = 2;
const QUERY_SEED: u64 = 3;

/// Rows lie near enough to their centre for clusters to be apart, far enough for them to have an inside.
const SPREAD: f32 = 0.5;

pub(super) static CLUSTERED: Dataset = Dataset {
    name: "synthetic-<n>x<d>",
    about: "n vectors of dimension d in normally distributed clusters; 1,000 queries from the same clusters",
    licence: "none needed",
    source: "made by a seeded recipe",
    install: "nothing to do: it is made anew each time",
    rows: None,
    dim: None,
    metric: Metric::L2,
    labels: Some("the row's cluster"),
    load: load_clustered,
    answers,
};

pub(super) static UNIFORM: Dataset = Dataset {
    name: "uniform-<n>x<d>",
    about: "n vectors of dimension d without any structure; 1,000 queries alike",
    licence: "none needed",
    source: "made by a seeded recipe",
    install: "nothing to do: it is made anew each time",
    rows: None,
    dim: None,
    metric: Metric::L2,
    labels: None,
    load: load_uniform,
    answers,
};

/// The fixed beginning of the entry's name, with its dash.
fn stem(entry: &Dataset) -> &'static str {
    entry.name.split('<').next().unwrap_or(entry.name)
}

fn answers(entry: &Dataset, name: &str) -> bool {
    name.starts_with(stem(entry))
}

/// Rows and dimension as the name says them.
fn sizes(entry: &Dataset, name: &str) -> Result<(usize, usize), DatasetError> {
    let number = |text: &str| -> Option<u64> {
        // `parse` would take a sign as well.
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten().filter(|&n| n > 0)
    };
    name.strip_prefix(stem(entry))
        .and_then(|sizes| sizes.split_once('x'))
        .and_then(|(rows, dim)| Some((number(rows)?, number(dim)?)))
        .filter(|&(rows, dim)| dim <= MAX_DIM && rows.checked_mul(dim).is_some_and(|values| values <= VALUES_MAX))
        .and_then(|(rows, dim)| Some((usize::try_from(rows).ok()?, usize::try_from(dim).ok()?)))
        .ok_or_else(|| DatasetError::Sizes { name: name.to_owned(), max: VALUES_MAX })
}

/// About as many clusters as an inverted file would have lists.
fn cluster_count(rows: usize) -> usize {
    rows.isqrt().clamp(1, 1_000)
}

fn load_clustered(entry: &Dataset, name: &str, _places: &Places) -> Result<Set, DatasetError> {
    let (rows, dim) = sizes(entry, name)?;
    let clusters = Clusters::draw(cluster_count(rows), dim, SPREAD, CENTRE_SEED);
    let (base, labels) = clusters.rows(rows, BASE_SEED);
    let (queries, _) = clusters.rows(QUERIES, QUERY_SEED);
    join(entry, name, dim, base, queries, Some(labels))
}

fn load_uniform(entry: &Dataset, name: &str, _places: &Places) -> Result<Set, DatasetError> {
    let (rows, dim) = sizes(entry, name)?;
    join(entry, name, dim, uniform(rows, dim, BASE_SEED), uniform(QUERIES, dim, QUERY_SEED), None)
}

fn join(
    entry: &Dataset,
    name: &str,
    dim: usize,
    base: Vec<f32>,
    queries: Vec<f32>,
    labels: Option<Vec<i64>>,
) -> Result<Set, DatasetError> {
    let (base, queries) = (Matrix::from_parts(dim, base), Matrix::from_parts(dim, queries));
    Parts { name: name.to_owned(), metric: entry.metric, base, queries, labels, truth: None }.join()
}
