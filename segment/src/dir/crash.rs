//! A tree of files that remembers every operation, to rebuild what a crash at any moment could leave.

mod image;

use super::mem::MemFile;
use super::{Dir, DirFile, MemDir, check_folder, check_path};
use elanus_index::Blob;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

/// One operation, in the order in which they were done. `file` numbers files by creation, whatever their names become.
#[derive(Debug)]
enum Op {
    Create { path: String, file: usize },
    Write { file: usize, offset: u64, bytes: Vec<u8> },
    SetLen { file: usize, len: u64 },
    SyncFile { file: usize },
    Rename { from: String, to: String },
    Remove { path: String },
    RemoveDir { folder: String },
    SyncDir { folder: String },
}

#[derive(Debug, Default)]
struct Log {
    ops: Vec<Op>,
    files: Vec<Arc<MemFile>>,
}

impl Log {
    /// The number of a file.
    fn number(&mut self, file: &Arc<MemFile>) -> usize {
        match self.files.iter().position(|known| Arc::ptr_eq(known, file)) {
            Some(number) => number,
            None => {
                self.files.push(Arc::clone(file));
                self.files.len() - 1
            }
        }
    }
}

/// Files in memory with a log of what was done to them; clones share both.
///
/// Operations are counted. [`CrashDir::image`] gives the files as they may be found when the machine stopped after that
/// many of them.
#[derive(Debug, Clone, Default)]
pub struct CrashDir {
    live: MemDir,
    log: Arc<Mutex<Log>>,
    /// Operations that only set up the files which were there from the start.
    first: usize,
}

impl CrashDir {
    /// No file, no operation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with the files of an image, all durable: a crash of a recovery from a crash.
    ///
    /// # Errors
    /// None in practice: those of the files in memory.
    pub fn starting_from(image: &MemDir) -> io::Result<Self> {
        let mut dir = Self::new();
        for path in image.paths() {
            let file = dir.create(&path)?;
            file.write_at(0, &image.read(&path)?)?;
            file.sync_all()?;
            dir.sync_dir(super::folder_of(&path))?;
        }
        for folder in image.folders() {
            // A file that comes and goes leaves its folder.
            let path = format!("{folder}/~");
            dir.create(&path)?;
            dir.remove(&path)?;
            dir.sync_dir(&folder)?;
        }
        dir.first = dir.op_count();
        Ok(dir)
    }

    /// Operations done so far.
    pub fn op_count(&self) -> usize {
        self.log.lock().ops.len()
    }

    /// The counts of operations at which a crash is worth looking at: right before and right after each sync, and now.
    pub fn sync_points(&self) -> Vec<usize> {
        let log = self.log.lock();
        let is_sync = |op: &Op| matches!(op, Op::SyncFile { .. } | Op::SyncDir { .. });
        let after = (self.first..log.ops.len()).filter(|&at| is_sync(&log.ops[at])).flat_map(|at| [at, at + 1]);
        let mut points: Vec<usize> = after.chain([log.ops.len()]).collect();
        points.dedup();
        points
    }

    /// The files that a crash after that many operations could leave. What was synced is there; of the rest the seed
    /// decides. Seed 0 loses everything that was not synced and seed 1 loses nothing; others lose, keep and tear writes
    /// (in sectors of 512 bytes) and cut the changes of each folder short.
    pub fn image(&self, op_count: usize, seed: u64) -> MemDir {
        let log = self.log.lock();
        image::rebuild(&log.ops[..op_count.min(log.ops.len())], seed)
    }

    /// `count` images of one moment, from consecutive seeds; the first two are the extremes of [`CrashDir::image`] if
    /// `seed` is 0.
    pub fn images(&self, op_count: usize, seed: u64, count: u64) -> impl Iterator<Item = MemDir> + '_ {
        (seed..seed + count).map(move |seed| self.image(op_count, seed))
    }

    fn handle(&self, file: Arc<MemFile>, number: usize) -> Box<dyn DirFile> {
        Box::new(CrashFile { file, number, log: Arc::clone(&self.log) })
    }
}

impl Dir for CrashDir {
    fn create(&self, path: &str) -> io::Result<Box<dyn DirFile>> {
        let mut log = self.log.lock();
        let file = self.live.make(path)?;
        let number = log.number(&file);
        log.ops.push(Op::Create { path: path.to_owned(), file: number });
        Ok(self.handle(file, number))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DirFile>> {
        let file = self.live.find(path)?;
        let number = self.log.lock().number(&file);
        Ok(self.handle(file, number))
    }

    fn map(&self, path: &str) -> io::Result<Blob> {
        self.live.map(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut log = self.log.lock();
        self.live.rename(from, to)?;
        log.ops.push(Op::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut log = self.log.lock();
        self.live.remove(path)?;
        log.ops.push(Op::Remove { path: path.to_owned() });
        Ok(())
    }

    fn remove_dir(&self, folder: &str) -> io::Result<()> {
        let mut log = self.log.lock();
        let was_there = self.live.has_folder(folder);
        self.live.remove_dir(folder)?;
        if was_there {
            log.ops.push(Op::RemoveDir { folder: folder.to_owned() });
        }
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.live.list(folder)
    }

    fn exists(&self, path: &str) -> bool {
        self.live.exists(path)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        self.live.len(path)
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        check_folder(folder)?;
        let mut log = self.log.lock();
        // What happened in a folder that is gone is not made durable by syncing what is not there.
        if self.live.has_folder(folder) {
            log.ops.push(Op::SyncDir { folder: folder.to_owned() });
        }
        Ok(())
    }

    fn lock(&self, path: &str) -> io::Result<Box<dyn Send + Sync>> {
        check_path(path)?;
        if !self.exists(path) {
            match self.create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        self.live.lock(path)
    }
}

#[derive(Debug)]
struct CrashFile {
    file: Arc<MemFile>,
    number: usize,
    log: Arc<Mutex<Log>>,
}

impl DirFile for CrashFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.bytes.read().len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut log = self.log.lock();
        self.file.write_at(offset, bytes)?;
        log.ops.push(Op::Write { file: self.number, offset, bytes: bytes.to_owned() });
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut log = self.log.lock();
        self.file.set_len(len)?;
        log.ops.push(Op::SetLen { file: self.number, len });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.log.lock().ops.push(Op::SyncFile { file: self.number });
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests;
