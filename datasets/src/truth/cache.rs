//! A file that keeps exact neighbours from one run to the next, tied by a fingerprint to the vectors it is about.
//!
//! Layout, lowest byte first: 8 bytes of magic, `u64` fingerprint of everything the result depends on, `u32` queries,
//! `u32` k, the row numbers as `u32`, `u64` checksum of the row numbers.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;

use elanus_kernels::{Metric, Rows};

use super::{Truth, TruthError, exact};
use crate::error::{Problem, ReadError};
use crate::file::{Input, is_file, write_whole};
use crate::matrix::ByteOrder;

const MAGIC: [u8; 8] = *b"ELTRUTH1";

/// The file of an earlier result is of no use and was left as it is.
#[derive(Debug)]
pub enum CacheError {
    /// It could not be read or written, or is cut off.
    File(ReadError),
    /// It begins with other bytes, so it is some other file.
    Foreign {
        /// The file.
        file: String,
    },
    /// Its row numbers are not those that were written.
    Checksum {
        /// The file.
        file: String,
    },
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "{error}"),
            Self::Foreign { file } => write!(f, "{file} is not a file of exact neighbours, choose another place"),
            Self::Checksum { file } => write!(f, "{file} is damaged: its checksum differs, delete it to compute anew"),
        }
    }
}

impl std::error::Error for CacheError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::Foreign { .. } | Self::Checksum { .. } => None,
        }
    }
}

impl From<CacheError> for TruthError {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

/// Takes the neighbours from `file` when it is about these very vectors; else computes them and writes the file.
/// Without a file it only computes.
pub(crate) fn load_or_compute(
    file: Option<&Path>,
    metric: Metric,
    base: Rows<'_, f32>,
    queries: Rows<'_, f32>,
    k: usize,
    threads: NonZeroUsize,
) -> Result<Truth, TruthError> {
    let Some(file) = file else { return exact(metric, base, queries, k, threads) };
    let print = fingerprint(metric, base, queries, k);
    if is_file(file)
        && let Some(truth) = load(file, print, queries.len(), k)?
    {
        return Ok(truth);
    }
    let truth = exact(metric, base, queries, k, threads)?;
    write_whole(file, &encode(&truth, print)).map_err(CacheError::File)?;
    Ok(truth)
}

pub(super) fn encode(truth: &Truth, print: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(print.to_le_bytes());
    bytes.extend((truth.len() as u32).to_le_bytes());
    bytes.extend((truth.k() as u32).to_le_bytes());
    bytes.extend(truth.all_ids().iter().flat_map(|id| id.to_le_bytes()));
    bytes.extend(hash(0, truth.all_ids().iter().copied()).to_le_bytes());
    bytes
}

/// `None` where the file is about other vectors.
fn load(file: &Path, print: u64, queries: usize, k: usize) -> Result<Option<Truth>, CacheError> {
    let mut input = Input::open(file).map_err(CacheError::File)?;
    let name = || file.display().to_string();
    // A file too short for the magic is somebody else's as well.
    match input.array::<8>() {
        Ok(MAGIC) => {}
        Err(error) if !matches!(error.problem, Problem::Truncated { .. }) => return Err(CacheError::File(error)),
        Ok(_) | Err(_) => return Err(CacheError::Foreign { file: name() }),
    }
    let header = (|| {
        let print = u64::from_le_bytes(input.array()?);
        Ok((print, u32::from_le_bytes(input.array()?), u32::from_le_bytes(input.array()?)))
    })();
    let header: (u64, u32, u32) = header.map_err(CacheError::File)?;
    if header.0 != print || header.1 as usize != queries || header.2 as usize != k {
        return Ok(None);
    }
    let mut ids = Vec::new();
    input.values::<u32>(&mut ids, queries * k, ByteOrder::Little).map_err(CacheError::File)?;
    let sum = input.array().map(u64::from_le_bytes).map_err(CacheError::File)?;
    input.finish().map_err(CacheError::File)?;
    if sum != hash(0, ids.iter().copied()) {
        return Err(CacheError::Checksum { file: name() });
    }
    Ok(Truth::from_ids(k, ids))
}

fn fingerprint(metric: Metric, base: Rows<'_, f32>, queries: Rows<'_, f32>, k: usize) -> u64 {
    let mut print = hash(0, metric.name().bytes().map(u32::from));
    print = hash(print, [base.dim() as u32, base.len() as u32, queries.len() as u32, k as u32]);
    print = hash(print, base.data().iter().map(|value| value.to_bits()));
    hash(print, queries.data().iter().map(|value| value.to_bits()))
}

/// Multiply and rotate, word by word: quick, and any single changed word changes the result.
fn hash(start: u64, words: impl IntoIterator<Item = u32>) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    words.into_iter().fold(start ^ ODD, |sum, word| (sum ^ u64::from(word)).wrapping_mul(ODD).rotate_left(29))
}
