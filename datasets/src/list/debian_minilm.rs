//! Sentence embeddings of package descriptions, from the shared collection.

use elanus_kernels::Metric;
use serde::Deserialize;

use super::places::shared;
use super::{Dataset, Places, named_alike};
use crate::error::{DatasetError, Problem, ReadError};
use crate::file::Input;
use crate::formats::{read_f32, read_ids};
use crate::set::{Parts, Set};

/// The most metadata text that is read.
const META_BYTES_MAX: u64 = 64 << 20;

pub(super) static SET: Dataset = Dataset {
    name: "debian-minilm-10k",
    about: "all-MiniLM-L6-v2 embeddings of Debian package descriptions; queries half from the same texts, half foreign",
    licence: "vectors: Apache-2.0 (the model's); texts: the packages' own free licences",
    source: "descriptions of Debian bookworm packages, definitions of FOLDOC as foreign queries",
    install: "put the folder debian-minilm-10k into a folder that ELANUS_DATASETS names, or into shared/datasets",
    rows: Some(10_000),
    dim: Some(384),
    metric: Metric::Cosine,
    labels: Some("the package's installed size in KiB"),
    load,
    answers: named_alike,
};

/// The part of a package's metadata that becomes its label.
#[derive(Deserialize)]
struct Package {
    id: usize,
    installed_kb: i64,
}

fn load(entry: &Dataset, _name: &str, places: &Places) -> Result<Set, DatasetError> {
    let folder = shared(places, entry, "base.f16bin")?;
    let base = read_f32(&folder.join("base.f16bin"))?;
    let queries = read_f32(&folder.join("query.f16bin"))?;
    let truth = Some(read_ids(&folder.join("gt100.ibin"), base.rows())?);
    let labels = Some(sizes(&mut Input::open(&folder.join("meta.jsonl.gz"))?)?);
    Parts { name: entry.name.to_owned(), metric: entry.metric, base, queries, labels, truth }.join()
}

/// Reads one label a line; the lines stand in the order of the vectors.
pub(super) fn sizes(input: &mut Input<'_>) -> Result<Vec<i64>, ReadError> {
    let text = input.text(META_BYTES_MAX)?;
    let mut sizes = Vec::new();
    let mut offset = 0;
    for line in text.lines() {
        let fail = |problem| ReadError { file: input.file().to_owned(), offset: Some(offset), problem };
        let package: Package = serde_json::from_str(line).map_err(|error| fail(Problem::Json(error)))?;
        if package.id != sizes.len() {
            return Err(fail(Problem::Unsupported("the lines have to stand in the order of their ids")));
        }
        sizes.push(package.installed_kb);
        offset += line.len() as u64 + 1;
    }
    Ok(sizes)
}
