//! Opening a database: components, catalog, segments, and the log replayed.

use super::Db;
use crate::catalog::{Catalog, Change, DEFAULT_DATABASE, DatabaseRecord, Loaded};
use crate::commit::{Committer, Parts, Progress};
use crate::disk::DiskMemory;
use crate::env::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::gpu::{Backend, Gpu};
use crate::inner::{DirLock, Inner};
use crate::job::Jobs;
use crate::meta::{Meta, RedbMeta};
use crate::recover::{self, Opening};
use crate::settings::{Settings, thread_count};
use crate::store::{LocalStore, Store};
use crate::ts::Oracle;
use crate::wal::{FileWal, Wal, WalSettings};
use elanus_segment::dir::{Dir, FsDir, MemDir};
use parking_lot::{Mutex, RwLock};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// Opens a database with other settings or components than the default ones.
#[derive(Debug, Default)]
pub struct DbBuilder {
    path: Option<PathBuf>,
    dir: Option<Arc<dyn Dir>>,
    settings: Settings,
    clock: Option<Arc<dyn Clock>>,
    backend: Option<Arc<dyn Backend>>,
}

impl DbBuilder {
    /// The data directory; without one (and without `dir`) the database is in memory.
    #[must_use]
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_owned());
        self
    }

    /// Another door to files than the file system.
    #[must_use]
    pub fn dir(mut self, dir: Arc<dyn Dir>) -> Self {
        self.dir = Some(dir);
        self
    }

    /// Other settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// This device, whatever the settings choose.
    #[must_use]
    pub fn device(mut self, backend: Arc<dyn Backend>) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Opens the database.
    ///
    /// # Errors
    /// `Unavailable` if another process has it open; `Corrupt` naming what is damaged.
    pub fn open(self) -> Result<Db> {
        let dir: Arc<dyn Dir> = match (self.dir, self.path.as_deref()) {
            (Some(dir), _) => dir,
            (None, Some(path)) => Arc::new(FsDir::new(path)),
            (None, None) => Arc::new(MemDir::new()),
        };
        let place = self.path.as_deref().map_or_else(|| "in memory".to_owned(), |path| path.display().to_string());
        let lock = dir.lock("lock").map_err(|source| lock_error(&place, source))?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let gpu = Gpu::new(&self.settings, &clock, self.backend)?;
        let disk = DiskMemory::new(self.settings.disk_index_memory_mib)?;
        let meta: Arc<dyn Meta> = Arc::new(RedbMeta::open(Arc::clone(&dir)).map_err(|source| {
            Error::new(source.kind(), Subject::Engine, "the catalog cannot be opened").with_source(source)
        })?);
        let store: Arc<dyn Store> = Arc::new(
            LocalStore::open(Arc::clone(&dir)).map_err(crate::store_error("the object store cannot be opened"))?,
        );
        let wal_settings = WalSettings { file_bytes: self.settings.wal_file_bytes, ..WalSettings::default() };
        let catalog = Catalog::open(meta)?;
        let wal = FileWal::open(dir, wal_settings).map_err(crate::commit::log_error)?;
        wal.check_reaches(catalog.log_end()?).map_err(crate::commit::log_error)?;
        let (wal, lock) = (Arc::new(wal), DirLock(lock));
        open(Components { settings: self.settings, clock, catalog, store, wal, gpu, disk, lock })
    }
}

struct Components {
    settings: Settings,
    clock: Arc<dyn Clock>,
    catalog: Catalog,
    store: Arc<dyn Store>,
    wal: Arc<dyn Wal>,
    gpu: Gpu,
    disk: Arc<DiskMemory>,
    lock: DirLock,
}

fn open(parts: Components) -> Result<Db> {
    let Components { settings, clock, catalog, store, wal, gpu, disk, lock } = parts;
    let mut loaded = catalog.load()?;
    let oracle = Arc::new(Oracle::new(Arc::clone(&clock), greatest_ts(&loaded)));
    if loaded.databases.is_empty() {
        let ts = oracle.next();
        let record = DatabaseRecord {
            id: crate::inner::id_from(&oracle),
            name: DEFAULT_DATABASE.to_owned(),
            created_ts: ts,
            properties: Vec::new(),
        };
        catalog.commit(Change::default().put_database(&record))?;
        loaded.databases.push(record);
    }
    let opening = Opening { store: store.as_ref(), gpu: &gpu, disk: &disk };
    let registry = recover::registry(loaded, &settings, opening, &oracle)?;
    let replayed = recover::replay(&registry, wal.as_ref(), &oracle)?;
    let progress = Arc::new(Progress {
        applied_ts: AtomicU64::new(oracle.next()),
        applied_lsn: AtomicU64::new(replayed.last_lsn),
    });
    let jobs = Jobs::new();
    let committer = start_committer(&settings, &wal, &oracle, &progress, &jobs)?;
    let inner = Arc::new(Inner {
        searchers: pool("search", settings.search_threads)?,
        builders: pool("build", settings.build_threads)?,
        gpu,
        disk,
        settings,
        oracle,
        progress,
        catalog,
        store,
        wal,
        committer,
        registry: RwLock::new(registry),
        naming: Mutex::new(()),
        jobs: Arc::clone(&jobs),
        closed: AtomicBool::new(false),
        lock: Mutex::new(Some(lock)),
    });
    jobs.start(&inner)?;
    Ok(Db::from_inner(inner))
}

fn start_committer(
    settings: &Settings,
    wal: &Arc<dyn Wal>,
    oracle: &Arc<Oracle>,
    progress: &Arc<Progress>,
    jobs: &Arc<Jobs>,
) -> Result<Committer> {
    let full_oracle = Arc::clone(oracle);
    let full_jobs = Arc::clone(jobs);
    Committer::start(Parts {
        wal: Arc::clone(wal),
        oracle: Arc::clone(oracle),
        progress: Arc::clone(progress),
        group_bytes: settings.commit_group_bytes,
        queue_length: settings.commit_queue_length,
        full: Box::new(move |shard, partition| {
            shard.rotate(Some(partition), || crate::inner::id_from(&full_oracle));
            full_jobs.wake();
        }),
    })
}

fn greatest_ts(loaded: &Loaded) -> u64 {
    let ids = |id: i64| u64::try_from(id).unwrap_or(0);
    let databases = loaded.databases.iter().map(|one| one.created_ts.max(ids(one.id)));
    let collections = loaded.collections.iter().map(|one| {
        let partitions = one.partitions.iter().map(|part| part.created_ts.max(ids(part.id)).max(part.sealed_ts));
        let indexes = one.indexes.iter().map(|index| index.created_ts.max(ids(index.id)));
        partitions.chain(indexes).max().unwrap_or(0).max(one.update_ts).max(ids(one.id))
    });
    let segments = loaded.segments.iter().map(|one| one.last_ts.max(ids(one.id)));
    databases.chain(collections).chain(segments).max().unwrap_or(0)
}

fn pool(name: &'static str, setting: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(thread_count(setting))
        .thread_name(move |number| format!("{name}-{number}"))
        .build()
        .map_err(|source| Error::internal(format!("the {name} threads did not start")).with_source(source))
}

fn io_error(what: &str, source: io::Error) -> Error {
    let is_full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let kind = if is_full { ErrorKind::Exhausted } else { ErrorKind::Unavailable };
    Error::new(kind, Subject::Disk, format!("{what} cannot be used")).with_source(source)
}

fn lock_error(place: &str, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::WouldBlock {
        return Error::unavailable(format!("the data directory {place} is in use by another process"));
    }
    io_error(&format!("the data directory {place}"), source)
}
