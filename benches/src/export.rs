//! A data set written out for other programs.

use std::io;
use std::path::Path;

use elanus_datasets::Set;
use serde_json::json;

/// Writes base and queries as `fbin`, the true neighbours as `ibin`, and name and metric as JSON into a folder.
pub(crate) fn export(folder: &Path, set: &Set) -> io::Result<()> {
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    write(&folder.join("base.fbin"), set.len(), set.dim, &floats(&set.base))?;
    write(&folder.join("queries.fbin"), set.query_count(), set.dim, &floats(&set.queries))?;
    let head = json!({ "name": set.name, "metric": set.metric.name() });
    std::fs::write(folder.join("set.json"), format!("{head}\n"))?;
    let Some(truth) = &set.truth else { return Ok(()) };
    let ids: Vec<u8> = truth.all_ids().iter().flat_map(|id| id.to_le_bytes()).collect();
    write(&folder.join("truth.ibin"), truth.len(), truth.k(), &ids)
}

/// Both counts as four bytes, then the rows.
fn write(path: &Path, rows: usize, dim: usize, bytes: &[u8]) -> io::Result<()> {
    let count = |count: usize| u32::try_from(count).map_err(io::Error::other);
    let mut all = Vec::with_capacity(8 + bytes.len());
    all.extend(count(rows)?.to_le_bytes());
    all.extend(count(dim)?.to_le_bytes());
    all.extend(bytes);
    std::fs::write(path, all)
}
