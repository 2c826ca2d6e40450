//! Made-up vectors as hard to search as embeddings of text, of any number, named by it.

use elanus_kernels::Metric;

use super::{Dataset, Places};
use crate::error::DatasetError;
use crate::matrix::Matrix;
use crate::set::{Parts, Set};
use crate::synth::Latent;
use crate::truth::machine_threads;

const DIM: usize = 768;
const GROUPS: usize = 20_000;
const QUERIES: usize = 1_000;

/// The most rows: 48 GiB of `f32`.
const ROWS_MAX: u64 = 1 << 24;

/// One seed for each stream of the recipe; the numbers hold for as long as these do.
const GROUP_SEED: u64 = 11;
const BASE_SEED: u64 = 12;
const QUERY_SEED: u64 = 13;

/// The beginning of every name, before the number of rows.
const STEM: &str = "synth-768-";

pub(super) static LATENT: Dataset = Dataset {
    name: "synth-768-<n>",
    about: "n unit vectors of dimension 768, as hard to search as text embeddings; 1,000 queries alike; n as 100k or 1m",
    licence: "none needed",
    source: "made by a seeded recipe: 20,000 unequal groups in 64 directions of falling variance, and noise",
    install: "nothing to do: it is made anew each time",
    rows: None,
    dim: Some(DIM),
    metric: Metric::Cosine,
    labels: Some("the row's group"),
    load,
    answers,
};

fn answers(_entry: &Dataset, name: &str) -> bool {
    name.starts_with(STEM)
}

/// The number of rows that a name asks for: digits alone, or thousands (`k`) or millions (`m`).
fn rows_of(name: &str) -> Option<usize> {
    let text = name.strip_prefix(STEM)?;
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1_000),
        b'm' => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    // `parse` would take a sign as well.
    let number: u64 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
    let rows = number.checked_mul(unit).filter(|rows| (1..=ROWS_MAX).contains(rows))?;
    usize::try_from(rows).ok()
}

fn load(entry: &Dataset, name: &str, _places: &Places) -> Result<Set, DatasetError> {
    let wrong = || DatasetError::Sizes { name: name.to_owned(), max: ROWS_MAX * DIM as u64 };
    let rows = rows_of(name).ok_or_else(wrong)?;
    let groups = Latent::draw(GROUPS, DIM, GROUP_SEED);
    let (base, labels) = groups.rows(rows, BASE_SEED, machine_threads());
    let (queries, _) = groups.rows(QUERIES, QUERY_SEED, machine_threads());
    let (base, queries) = (Matrix::from_parts(DIM, base), Matrix::from_parts(DIM, queries));
    let labels = Some(labels);
    Parts { name: name.to_owned(), metric: entry.metric, base, queries, labels, truth: None }.join()
}
