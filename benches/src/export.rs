//! A data set written out for other programs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use elanus_datasets::Set;
use serde_json::json;

/// Writes base and queries as `fbin`, the true neighbours as `ibin`, and name and metric as JSON into a folder.
pub(crate) fn export(folder: &Path, set: &Set) -> io::Result<()> {
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write(&folder.join("base.fbin"), set.dim, &set.base, floats)?;
    write(&folder.join("queries.fbin"), set.dim, &set.queries, floats)?;
    let head = json!({ "name": set.name, "metric": set.metric.name() });
    std::fs::write(folder.join("set.json"), format!("{head}\n"))?;
    let Some(truth) = &set.truth else { return Ok(()) };
    let ids = |ids: &[u32]| ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    write(&folder.join("truth.ibin"), truth.k(), truth.all_ids(), ids)
}

/// Values that are turned into bytes at a time: a large set is not held twice.
const VALUES_AT_ONCE: usize = 1 << 20;

/// Both counts as four bytes, then the rows.
fn write<T>(path: &Path, dim: usize, values: &[T], bytes: impl Fn(&[T]) -> Vec<u8>) -> io::Result<()> {
    let count = |count: usize| u32::try_from(count).map_err(io::Error::other);
    let mut file = File::create(path)?;
    file.write_all(&count(values.len() / dim)?.to_le_bytes())?;
    file.write_all(&count(dim)?.to_le_bytes())?;
    values.chunks(VALUES_AT_ONCE).try_for_each(|values| file.write_all(&bytes(values)))
}
