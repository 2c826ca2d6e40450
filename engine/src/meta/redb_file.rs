//! The catalog in one transactional file; `docs/format.md` draws its first page and its tables.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elanus_segment::dir::{Dir, DirFile};
use parking_lot::{Mutex, RwLock};
use redb::Database;

use super::{Check, Meta, MetaError, Op, Rev, check_lengths};
use crate::error::ErrorKind;

mod backend;
mod content;
mod guard;

use backend::Behind;
use content::{Failure, Tally};

/// The file of the catalog.
const FILE: &str = "catalog.redb";

/// Its name until it is complete.
const UNFINISHED: &str = "catalog.redb.tmp";

/// A catalog is small and read at start, so little of it is worth keeping twice.
const CACHE_BYTES: usize = 4 << 20;

/// A catalog in a file. It takes no lock: whoever opens it makes sure that nobody else has.
pub struct RedbMeta {
    file: Arc<dyn DirFile>,
    /// Taken after `last` where both are.
    engine: RwLock<Engine>,
    /// Held for the whole of a commit.
    last: Mutex<Last>,
    /// Set by the storage engine's file when a sync fails.
    sync_failed: Arc<AtomicBool>,
}

/// The storage engine inside the file. It writes when it is dropped, too.
enum Engine {
    Open(Database),
    /// A commit failed.
    Failed,
    Closed,
}

/// What the last commit left.
struct Last {
    tally: Tally,
    /// It found no room, and what is in the file is known: the next commit may try again.
    may_reopen: bool,
}

impl std::fmt::Debug for RedbMeta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbMeta").field("file", &FILE).finish_non_exhaustive()
    }
}

fn io_error(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> MetaError {
    let file = file.to_owned();
    move |source| MetaError::Io { action, file, source }
}

impl RedbMeta {
    /// Opens the file `catalog.redb` of a directory and reads through all of it; a new one is made if there is none.
    ///
    /// # Errors
    /// [`MetaError::Corrupt`] if the file is not what was written, or older than the last commit that was
    /// acknowledged; [`MetaError::Newer`] for a later format; [`MetaError::Io`] if it cannot be read or made.
    pub fn open(dir: Arc<dyn Dir>) -> Result<Self, MetaError> {
        if dir.exists(UNFINISHED) {
            dir.remove(UNFINISHED).map_err(io_error("remove", UNFINISHED))?;
        }
        if !dir.exists(FILE) {
            create(&*dir)?;
        }
        let file: Arc<dyn DirFile> = Arc::from(dir.open(FILE).map_err(io_error("open", FILE))?);
        let sync_failed = Arc::new(AtomicBool::new(false));
        let (database, tally) = attach(&file, &sync_failed)?;
        let last = Mutex::new(Last { tally, may_reopen: false });
        Ok(Self { file, engine: RwLock::new(Engine::Open(database)), last, sync_failed })
    }

    fn with<T>(&self, action: &'static str, run: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, MetaError> {
        match &*self.engine.read() {
            Engine::Open(database) => shielded(action, FILE, || run(database)),
            Engine::Failed => Err(MetaError::Poisoned),
            Engine::Closed => Err(MetaError::Closed),
        }
    }

    /// Closes the storage engine when nobody uses it any more; it has written all when this returns.
    fn leave(&self, after: Engine) {
        let mut engine = self.engine.write();
        close(std::mem::replace(&mut *engine, after));
    }

    /// Opens the storage engine again after a commit that found no room.
    fn reopen(&self, last: &mut Last) -> Result<(), MetaError> {
        let attached = attach(&self.file, &self.sync_failed);
        last.may_reopen = attached.as_ref().is_err_and(|error| self.may_reopen(error));
        let (database, tally) = attached?;
        // The failed commit happened after all. Whoever made it goes on as if it had not, so only an open that reads
        // everything again may continue from here.
        if tally != last.tally {
            close(Engine::Open(database));
            return Err(MetaError::Poisoned);
        }
        *self.engine.write() = Engine::Open(database);
        Ok(())
    }

    /// Commits, and acknowledges the commit in the first page.
    fn write(&self, tally: Tally, checks: &[Check], ops: &[Op]) -> Result<Tally, MetaError> {
        let next = self.with("write", |database| content::commit(database, tally, checks, ops))?;
        if next.rev != tally.rev {
            guard::write(&*self.file, FILE, next.rev)?;
        }
        Ok(next)
    }

    /// Whether an error leaves a file whose content an open can tell: the disk was full and no sync failed. After a
    /// failed sync nobody knows what is durable.
    fn may_reopen(&self, error: &MetaError) -> bool {
        let sync_failed = matches!(error, MetaError::Io { action: "sync", .. });
        error.kind() == ErrorKind::Exhausted && !sync_failed && !self.sync_failed.load(Ordering::Acquire)
    }
}

impl Drop for RedbMeta {
    fn drop(&mut self) {
        close(std::mem::replace(self.engine.get_mut(), Engine::Closed));
    }
}

/// Opens what is in the file, checks all of it, and returns the tally of the last commit.
fn attach(file: &Arc<dyn DirFile>, sync_failed: &Arc<AtomicBool>) -> Result<(Database, Tally), MetaError> {
    let acknowledged = guard::read(&**file, FILE)?;
    let mut database = open_database("open", FILE, file, sync_failed)?;
    match check(&mut database, &**file, acknowledged) {
        Ok(tally) => Ok((database, tally)),
        Err(error) => {
            close(Engine::Open(database));
            Err(error)
        }
    }
}

fn check(database: &mut Database, file: &dyn DirFile, acknowledged: Rev) -> Result<Tally, MetaError> {
    // It compares every page with its checksum, which an open after a clean close does not.
    shielded("check", FILE, || Ok(database.check_integrity()?))?;
    let tally = shielded("read", FILE, || content::verify(database))?;
    // One ahead: the commit happened and was not acknowledged any more.
    if tally.rev != acknowledged && tally.rev != acknowledged + 1 {
        let what = format!("it holds revision {}, revision {acknowledged} was acknowledged", tally.rev);
        return Err(MetaError::Corrupt { file: FILE.to_owned(), what });
    }
    if tally.rev != acknowledged {
        guard::write(file, FILE, tally.rev)?;
    }
    Ok(tally)
}

/// Closes the storage engine. What it cannot write now, it repairs when it is opened again.
fn close(engine: Engine) {
    if catch_unwind(AssertUnwindSafe(|| drop(engine))).is_err() {
        tracing::error!(file = FILE, "closing the catalog failed");
    }
}

/// Makes the file under another name, so that it is complete or not there.
fn create(dir: &dyn Dir) -> Result<(), MetaError> {
    let file: Arc<dyn DirFile> = Arc::from(dir.create(UNFINISHED).map_err(io_error("create", UNFINISHED))?);
    file.write_at(0, &guard::fresh()).map_err(io_error("write", UNFINISHED))?;
    let database = open_database("make", UNFINISHED, &file, &Arc::default())?;
    let made = shielded("write", UNFINISHED, || content::initialize(&database));
    close(Engine::Open(database));
    made?;
    file.sync_all().map_err(io_error("sync", UNFINISHED))?;
    dir.rename(UNFINISHED, FILE).map_err(io_error("rename", UNFINISHED))?;
    dir.sync_dir("").map_err(io_error("sync the folder of", FILE))
}

fn open_database(
    action: &'static str,
    name: &str,
    file: &Arc<dyn DirFile>,
    sync_failed: &Arc<AtomicBool>,
) -> Result<Database, MetaError> {
    let behind = Behind { file: Arc::clone(file), sync_failed: Arc::clone(sync_failed) };
    shielded(action, name, || Ok(Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(behind)?))
}

/// Runs a call of the storage engine, which may panic on a damaged file, and says what its failure means here.
fn shielded<T>(action: &'static str, name: &str, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, MetaError> {
    let file = name.to_owned();
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Failure::Conflict(key))) => Err(MetaError::Conflict { key }),
        Ok(Err(Failure::Corrupt(what))) => Err(MetaError::Corrupt { file, what }),
        Ok(Err(Failure::Engine(redb::Error::Corrupted(what)))) => Err(MetaError::Corrupt { file, what }),
        // The storage engine's way of saying that bytes are not its own, and ours of saying that there are none.
        Ok(Err(Failure::Engine(redb::Error::Io(source))))
            if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            Err(MetaError::Corrupt { file, what: source.to_string() })
        }
        Ok(Err(Failure::Engine(redb::Error::Io(source)))) => Err(MetaError::Io { action, file, source }),
        Ok(Err(Failure::Engine(source))) => Err(MetaError::Engine { action, file, source: Box::new(source) }),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let what = format!("the storage engine could not {action} it: {}", said.unwrap_or("no reason given"));
            Err(MetaError::Corrupt { file, what })
        }
    }
}

impl Meta for RedbMeta {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, MetaError> {
        self.with("read", |database| content::get(database, key))
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, MetaError> {
        self.with("read", |database| content::scan(database, prefix))
    }

    fn commit(&self, checks: &[Check], ops: &[Op]) -> Result<Rev, MetaError> {
        check_lengths(ops)?;
        let mut last = self.last.lock();
        if last.may_reopen {
            self.reopen(&mut last)?;
        }
        match self.write(last.tally, checks, ops) {
            Ok(next) => {
                last.tally = next;
                Ok(next.rev)
            }
            Err(error @ (MetaError::Conflict { .. } | MetaError::Poisoned | MetaError::Closed)) => Err(error),
            Err(error) => {
                last.may_reopen = self.may_reopen(&error);
                self.leave(Engine::Failed);
                Err(error)
            }
        }
    }

    fn rev(&self) -> Result<Rev, MetaError> {
        let last = self.last.lock();
        match &*self.engine.read() {
            Engine::Open(_) => Ok(last.tally.rev),
            Engine::Failed => Err(MetaError::Poisoned),
            Engine::Closed => Err(MetaError::Closed),
        }
    }

    fn close(&self) {
        let mut last = self.last.lock();
        last.may_reopen = false;
        self.leave(Engine::Closed);
    }
}

#[cfg(test)]
mod tests;
