//! SIFT descriptors of wallpapers, from the shared collection.

use elanus_kernels::Metric;

use super::places::shared;
use super::{Dataset, Places, named_alike};
use crate::error::DatasetError;
use crate::formats::{read_f32, read_ids};
use crate::set::{Parts, Set};

pub(super) static SET: Dataset = Dataset {
    name: "wallpaper-sift-50k",
    about: "SIFT descriptors of pictures, whole numbers from 0 to 255",
    licence: "pictures: CC-BY-SA, GPL and LGPL; only descriptors of them are stored",
    source: "pictures of Debian's wallpaper packages, descriptors by OpenCV",
    install: "put the folder wallpaper-sift-50k into a folder that ELANUS_DATASETS names, or into shared/datasets",
    rows: Some(50_000),
    dim: Some(128),
    metric: Metric::L2,
    labels: None,
    load,
    answers: named_alike,
};

fn load(entry: &Dataset, _name: &str, places: &Places) -> Result<Set, DatasetError> {
    let folder = shared(places, entry, "base.u8bin")?;
    let base = read_f32(&folder.join("base.u8bin"))?;
    let queries = read_f32(&folder.join("query.u8bin"))?;
    let truth = Some(read_ids(&folder.join("gt100.ibin"), base.rows())?);
    Parts { name: entry.name.to_owned(), metric: entry.metric, base, queries, labels: None, truth }.join()
}
