//! Where the files of installed data sets may lie.

use std::env;
use std::path::{Path, PathBuf};

use super::Dataset;
use crate::error::DatasetError;
use crate::file::is_file;

/// Where the files of installed data sets are looked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The user's own folders, first in every search; `ELANUS_DATASETS` names them.
    pub own: Vec<PathBuf>,
    /// The working folder and those around it, innermost first.
    pub around: Vec<PathBuf>,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// The root of the file system, for what package managers install.
    pub root: Option<PathBuf>,
}

impl Places {
    /// The places that the environment names: the variable `ELANUS_DATASETS` (several folders as in `PATH`), the
    /// working folder, the home and the system's folders.
    pub fn from_env() -> Self {
        let own = env::var_os("ELANUS_DATASETS");
        let own = own.iter().flat_map(env::split_paths).filter(|path| !path.as_os_str().is_empty()).collect();
        let around = env::current_dir().map_or_else(|_| Vec::new(), |dir| dir.ancestors().map(PathBuf::from).collect());
        Self { own, around, home: env::var_os("HOME").map(PathBuf::from), root: Some(PathBuf::from("/")) }
    }

    /// `own` folders themselves, then, beneath each: the data set's folder.
    pub(super) fn own(&self, folder: &str) -> impl Iterator<Item = PathBuf> {
        self.own.iter().flat_map(move |own| [own.join(folder), own.clone()])
    }

    /// A folder of the working folder or of one around it.
    pub(super) fn around(&self, folder: &str) -> impl Iterator<Item = PathBuf> {
        self.around.iter().map(move |around| around.join(folder))
    }

    /// A folder where a package manager puts things, told from the root.
    pub(super) fn system(&self, folder: &str) -> impl Iterator<Item = PathBuf> {
        self.root.iter().map(move |root| root.join(folder))
    }
}

impl Dataset {
    /// The first folder that has the file, or an error that names every folder and the way to get the files.
    pub(super) fn locate(
        &self,
        folders: impl IntoIterator<Item = PathBuf>,
        file: &str,
    ) -> Result<PathBuf, DatasetError> {
        let mut looked: Vec<PathBuf> = Vec::new();
        for folder in folders {
            if is_file(&folder.join(file)) {
                return Ok(folder);
            }
            if !looked.contains(&folder) {
                looked.push(folder);
            }
        }
        Err(DatasetError::NotInstalled { name: self.name.to_owned(), looked, install: self.install })
    }
}

/// A folder of the shared collection: own folders first, then `shared/datasets` around the working folder.
pub(super) fn shared(places: &Places, entry: &Dataset, file: &str) -> Result<PathBuf, DatasetError> {
    let shared = Path::new("shared/datasets").join(entry.name);
    let around = shared.to_string_lossy().into_owned();
    entry.locate(places.own(entry.name).chain(places.around(&around)).collect::<Vec<_>>(), file)
}
