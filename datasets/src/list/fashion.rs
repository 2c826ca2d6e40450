//! Fashion-MNIST: the part that the program carries, and the whole of it from the Debian package.

use elanus_kernels::Metric;

use super::{Dataset, Places, named_alike};
use crate::error::{DatasetError, ReadError};
use crate::file::Input;
use crate::formats::{read_f32, read_labels};
use crate::matrix::Matrix;
use crate::set::{Parts, Set};
use crate::{bin_file, idx};

const LICENCE: &str = "MIT, copyright 2017 Zalando SE";
const SOURCE: &str = "Xiao, Rasul and Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747";
const LABELS: &str = "the article's class, 0 to 9";

/// Queries of the bundled set: the first of the train split, while its base is the test split.
pub const BUNDLE_QUERIES: usize = 500;

/// Exact neighbours stored for each of them.
pub const BUNDLE_TRUTH_K: usize = 100;

const FULL_QUERIES: usize = 1_000;

static IMAGES: &[u8] = include_bytes!("../../data/t10k-images-idx3-ubyte.gz");
static CLASSES: &[u8] = include_bytes!("../../data/t10k-labels-idx1-ubyte.gz");
static QUERIES: &[u8] = include_bytes!("../../data/train-500-images-idx3-ubyte.gz");
static TRUTH: &[u8] = include_bytes!("../../data/truth-500x100.ibin");

pub(super) static BUNDLE: Dataset = Dataset {
    name: "fashion-mnist-10k",
    about: "28 x 28 pictures of articles of clothing, the test split; 500 queries from the train split",
    licence: LICENCE,
    source: SOURCE,
    install: "nothing to do: the program carries it",
    rows: Some(10_000),
    dim: Some(784),
    metric: Metric::L2,
    labels: Some(LABELS),
    load: load_bundle,
    answers: named_alike,
};

pub(super) static FULL: Dataset = Dataset {
    name: "fashion-mnist",
    about: "28 x 28 pictures of articles of clothing, the train split; 1,000 queries from the test split",
    licence: LICENCE,
    source: SOURCE,
    install: "apt-get install dataset-fashion-mnist",
    rows: Some(60_000),
    dim: Some(784),
    metric: Metric::L2,
    labels: Some(LABELS),
    load: load_full,
    answers: named_alike,
};

fn load_bundle(entry: &Dataset, _name: &str, _places: &Places) -> Result<Set, DatasetError> {
    let images =
        |name, bytes| -> Result<Matrix<f32>, ReadError> { Ok(idx::read(&mut Input::bytes(name, bytes)?)?.into_f32()) };
    let base = images("t10k-images-idx3-ubyte.gz", IMAGES)?;
    let queries = images("train-500-images-idx3-ubyte.gz", QUERIES)?;
    let classes = "t10k-labels-idx1-ubyte.gz";
    let labels = idx::read(&mut Input::bytes(classes, CLASSES)?)?.into_labels(classes)?;
    let near = "truth-500x100.ibin";
    let truth = bin_file::read_values::<i32>(&mut Input::bytes(near, TRUTH)?)?.into_ids(near, base.rows())?;
    let (labels, truth) = (Some(labels), Some(truth));
    Parts { name: entry.name.to_owned(), metric: entry.metric, base, queries, labels, truth }.join()
}

fn load_full(entry: &Dataset, _name: &str, places: &Places) -> Result<Set, DatasetError> {
    const BASE: &str = "train-images-idx3-ubyte.gz";
    let folders = places.own("fashion-mnist").chain(places.system("usr/share/datasets/fashion-mnist"));
    let folder = entry.locate(folders, BASE)?;
    let base = read_f32(&folder.join(BASE))?;
    let labels = Some(read_labels(&folder.join("train-labels-idx1-ubyte.gz"))?);
    let queries = first_rows(read_f32(&folder.join("t10k-images-idx3-ubyte.gz"))?, FULL_QUERIES);
    Parts { name: entry.name.to_owned(), metric: entry.metric, base, queries, labels, truth: None }.join()
}

fn first_rows(matrix: Matrix<f32>, count: usize) -> Matrix<f32> {
    let dim = matrix.dim();
    let mut data = matrix.into_data();
    data.truncate(count * dim);
    data.shrink_to_fit();
    Matrix::from_parts(dim, data)
}
