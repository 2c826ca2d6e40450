//! The data sets that can be loaded by name.

mod debian_minilm;
mod fashion;
mod glove;
mod latent;
mod places;
mod synthetic;
#[cfg(test)]
mod tests;
mod text;
mod wallpaper_sift;

pub use fashion::{BUNDLE_QUERIES, BUNDLE_TRUTH_K};
pub use places::Places;

use elanus_kernels::Metric;

use crate::error::DatasetError;
use crate::set::Set;

/// One entry of the list: where a data set comes from and how it is loaded.
#[derive(Debug)]
pub struct Dataset {
    /// The name to load it by; `<n>` and `<d>` stand for numbers.
    pub name: &'static str,
    /// What the vectors are.
    pub about: &'static str,
    /// Under which terms they may be used.
    pub licence: &'static str,
    /// Who made them.
    pub source: &'static str,
    /// How to get the files.
    pub install: &'static str,
    /// Base rows, where the name does not say.
    pub rows: Option<usize>,
    /// Values in each vector, where the name does not say.
    pub dim: Option<usize>,
    /// What "near" means.
    pub metric: Metric,
    /// What the labels are, where there are any.
    pub labels: Option<&'static str>,
    load: fn(&Dataset, &str, &Places) -> Result<Set, DatasetError>,
    /// Whether a name of the caller's means this entry.
    answers: fn(&Dataset, &str) -> bool,
}

/// Every data set, those that are always there first.
pub static DATASETS: &[&Dataset] = &[
    &fashion::BUNDLE,
    &synthetic::CLUSTERED,
    &synthetic::UNIFORM,
    &latent::LATENT,
    &fashion::FULL,
    &glove::GLOVE,
    &text::TEXT,
    &debian_minilm::SET,
    &wallpaper_sift::SET,
];

impl Dataset {
    /// Loads the set under one of its names, looking for its files in `places`.
    pub fn load(&self, name: &str, places: &Places) -> Result<Set, DatasetError> {
        (self.load)(self, name, places)
    }
}

fn named_alike(entry: &Dataset, name: &str) -> bool {
    entry.name == name
}

/// The entry that a name means.
pub fn find(name: &str) -> Result<&'static Dataset, DatasetError> {
    DATASETS.iter().find(|entry| (entry.answers)(entry, name)).copied().ok_or_else(|| {
        let known = DATASETS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
        DatasetError::Unknown { name: name.to_owned(), known }
    })
}

/// Loads a data set by name, looking for its files in the places that the environment names.
pub fn load(name: &str) -> Result<Set, DatasetError> {
    find(name)?.load(name, &Places::from_env())
}
