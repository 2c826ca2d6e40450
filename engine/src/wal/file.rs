//! A log in numbered files of one folder; `docs/format.md` draws the bytes.

use std::fmt::{self, Debug};
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use elanus_segment::dir::{Dir, DirFile};
use parking_lot::Mutex;

use super::record::{HEADER_BYTES, Header};
use super::{FIRST_LSN, Lsn, Wal, WalError, WalSettings, check_from, check_lengths};

mod header;
mod open;
mod scan;

pub use open::Cut;

use header::FILE_HEADER_BYTES;
use scan::{Scanner, Step};

/// The folder of the log's files.
const FOLDER: &str = "wal";

/// Records are gathered up to this size before they are written, and longer ones are written from where they are.
const WRITE_BYTES: usize = 1 << 20;

/// A file whose records nobody needs is replaced by a fresh one from this size on.
const ROLL_BYTES: u64 = 1 << 20;

/// A log in files. It takes no lock: whoever opens it makes sure that nobody else has.
pub struct FileWal {
    dir: Arc<dyn Dir>,
    settings: WalSettings,
    cut: Option<Cut>,
    /// Taken before `shown` where both are.
    writer: Mutex<Writer>,
    /// What readers may see, never held while files are touched.
    shown: Mutex<Shown>,
    /// Held by the one who removes files.
    truncating: Mutex<()>,
}

impl Debug for FileWal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown.lock();
        f.debug_struct("FileWal").field("files", &shown.files).field("next", &shown.next).finish_non_exhaustive()
    }
}

/// The place where the next record goes.
struct Writer {
    file: Arc<dyn DirFile>,
    log: LogFile,
    next: Lsn,
    poisoned: bool,
    /// Reused from group to group.
    buffer: Vec<u8>,
}

/// The files, oldest first and never none, and the number of the next record.
struct Shown {
    files: Vec<LogFile>,
    next: Lsn,
}

/// One file of the log.
#[derive(Clone, Debug)]
struct LogFile {
    first: Lsn,
    salt: u32,
    /// Where its last durable record ends.
    end: u64,
}

impl LogFile {
    fn path(&self) -> String {
        path_of(self.first)
    }
}

fn path_of(first: Lsn) -> String {
    format!("{FOLDER}/{first:016x}.log")
}

fn io_error(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> WalError {
    let file = file.to_owned();
    move |source| WalError::Io { action, file, source }
}

/// Whether a write (not a sync, after which nothing is known) was refused because the disk is full.
fn is_no_room(error: &WalError) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error, WalError::Io { action: "write" | "create", source, .. }
        if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge))
}

impl FileWal {
    /// What opening the log cut off its end: an append that never finished.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Refuses a log that ends before a record which is known to have been durable.
    ///
    /// # Errors
    /// [`WalError::Corrupt`] naming the last file, which was cut, or is followed by one that is gone.
    pub fn check_reaches(&self, next: Lsn) -> Result<(), WalError> {
        let shown = self.shown.lock();
        match shown.files.last() {
            Some(last) if shown.next < next => {
                let what = format!("the log ends before record {}, but was durable up to record {next}", shown.next);
                Err(WalError::Corrupt { file: last.path(), offset: last.end, what })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The paths of its files, oldest first.
    pub fn files(&self) -> Vec<String> {
        self.shown.lock().files.iter().map(LogFile::path).collect()
    }

    /// Writes one group where the writer stands and syncs it.
    fn write_group(&self, writer: &mut Writer, records: &[&[u8]]) -> Result<(), WalError> {
        let bytes: u64 = records.iter().map(|record| (HEADER_BYTES + record.len()) as u64).sum();
        if writer.log.end > FILE_HEADER_BYTES && writer.log.end.saturating_add(bytes) > self.settings.file_bytes {
            let (log, file) = create_file(&*self.dir, writer.next, self.settings.salt)?;
            self.shown.lock().files.push(log.clone());
            (writer.log, writer.file) = (log, file);
        }
        let path = writer.log.path();
        let mut at = writer.log.end;
        let mut write = |bytes: &[u8]| -> Result<(), WalError> {
            writer.file.write_at(at, bytes).map_err(io_error("write", &path))?;
            at += bytes.len() as u64;
            Ok(())
        };
        writer.buffer.clear();
        for ((&record, lsn), position) in records.iter().zip(writer.next..).zip(0_u32..) {
            let header = Header::of(writer.log.salt, lsn, position, record)
                .ok_or(WalError::TooLong { len: record.len(), limit: super::MAX_RECORD_BYTES })?;
            writer.buffer.extend_from_slice(&header.encode(writer.log.salt));
            if writer.buffer.len() + record.len() > WRITE_BYTES {
                write(&writer.buffer)?;
                writer.buffer.clear();
            }
            if record.len() > WRITE_BYTES {
                write(record)?;
            } else {
                writer.buffer.extend_from_slice(record);
            }
        }
        if !writer.buffer.is_empty() {
            write(&writer.buffer)?;
        }
        writer.file.sync_data().map_err(io_error("sync", &path))?;
        writer.log.end += bytes;
        Ok(())
    }

    /// Takes back what a group that found no room left behind, so that appends can go on when there is room again.
    fn undo(&self, writer: &Writer) -> io::Result<()> {
        let begun = path_of(writer.next);
        if begun != writer.log.path() && self.dir.exists(&begun) {
            self.dir.remove(&begun)?;
            self.dir.sync_dir(FOLDER)?;
        }
        writer.file.set_len(writer.log.end)?;
        writer.file.sync_data()
    }

    /// Begins a fresh file if nothing in the current one is needed and it is worth removing.
    fn begin_file_at(&self, next: Lsn) -> Result<(), WalError> {
        let mut writer = self.writer.lock();
        if writer.poisoned || writer.next != next || writer.log.end < ROLL_BYTES {
            return Ok(());
        }
        match create_file(&*self.dir, next, self.settings.salt) {
            Ok((log, file)) => {
                self.shown.lock().files.push(log.clone());
                (writer.log, writer.file) = (log, file);
                Ok(())
            }
            Err(error) => {
                // A file that was begun and is not used would be taken for damage at the next open.
                writer.poisoned = self.undo(&writer).is_err();
                Err(error)
            }
        }
    }

    /// Shows the records of one file from `from` on; breaks off with the number after the last one shown.
    fn read_file(
        &self,
        log: &LogFile,
        held: Range<Lsn>,
        from: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<Lsn>, WalError> {
        let path = log.path();
        let file = match self.dir.open(&path) {
            // It was there when the reading began, so it has been truncated since.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.first() > log.first => {
                return Err(WalError::Forgotten { wanted: from, first: self.first() });
            }
            other => other.map_err(io_error("open", &path))?,
        };
        let mut scanner = Scanner::new(&*file, log.salt, FILE_HEADER_BYTES, log.end, held.start);
        loop {
            let offset = scanner.offset;
            match scanner.step().map_err(io_error("read", &path))? {
                Step::Record(lsn, payload) => {
                    if lsn >= from && visit(lsn, payload).is_break() {
                        return Ok(ControlFlow::Break(lsn + 1));
                    }
                }
                Step::Bad(bad) => return Err(WalError::Corrupt { file: path, offset, what: bad.what }),
                Step::End(next) if next == held.end => return Ok(ControlFlow::Continue(())),
                Step::End(next) => {
                    let what = format!("the file ends before record {next}, record {} follows", held.end);
                    return Err(WalError::Corrupt { file: path, offset, what });
                }
            }
        }
    }
}

/// Makes the file whose first record will be `first`; its header and its name are durable then.
fn create_file(dir: &dyn Dir, first: Lsn, salt: u32) -> Result<(LogFile, Arc<dyn DirFile>), WalError> {
    let path = path_of(first);
    let file = dir.create(&path).map_err(io_error("create", &path))?;
    file.write_at(0, &header::encode(first, salt)).map_err(io_error("write", &path))?;
    file.sync_all().map_err(io_error("sync", &path))?;
    dir.sync_dir(FOLDER).map_err(io_error("sync the folder of", &path))?;
    Ok((LogFile { first, salt, end: FILE_HEADER_BYTES }, Arc::from(file)))
}

impl Wal for FileWal {
    fn append(&self, records: &[&[u8]]) -> Result<Range<Lsn>, WalError> {
        check_lengths(records)?;
        let mut writer = self.writer.lock();
        if writer.poisoned {
            return Err(WalError::Poisoned);
        }
        let start = writer.next;
        if records.is_empty() {
            return Ok(start..start);
        }
        // After a failure nobody knows what is on disk: a later success behind a hole would be lost at the next open.
        writer.poisoned = true;
        if let Err(error) = self.write_group(&mut writer, records) {
            writer.poisoned = !(is_no_room(&error) && self.undo(&writer).is_ok());
            return Err(error);
        }
        writer.next += records.len() as Lsn;
        if writer.buffer.capacity() > 2 * WRITE_BYTES {
            writer.buffer = Vec::new();
        }
        let mut shown = self.shown.lock();
        shown.next = writer.next;
        if let Some(last) = shown.files.last_mut() {
            last.end = writer.log.end;
        }
        writer.poisoned = false;
        Ok(start..writer.next)
    }

    fn read(&self, from: Lsn, visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>) -> Result<Lsn, WalError> {
        let (files, next) = {
            let shown = self.shown.lock();
            check_from(from, &(shown.files.first().map_or(shown.next, |file| file.first)..shown.next))?;
            (shown.files.clone(), shown.next)
        };
        let ends = files.iter().skip(1).map(|file| file.first).chain([next]);
        for (log, end) in files.iter().zip(ends).filter(|(_, end)| *end > from) {
            if let ControlFlow::Break(after) = self.read_file(log, log.first..end, from, visit)? {
                return Ok(after);
            }
        }
        Ok(next)
    }

    fn truncate(&self, upto: Lsn) -> Result<(), WalError> {
        let _alone = self.truncating.lock();
        let next = self.next();
        if upto > next {
            return Err(WalError::Beyond { wanted: upto, next });
        }
        if upto == next {
            self.begin_file_at(next)?;
        }
        loop {
            let path = {
                let shown = self.shown.lock();
                match &shown.files[..] {
                    [oldest, second, ..] if second.first <= upto => oldest.path(),
                    [_, _, ..] | [_] | [] => return Ok(()),
                }
            };
            match self.dir.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &path)(error)),
                Ok(()) | Err(_) => {}
            }
            self.shown.lock().files.remove(0);
            // One by one, so that no crash can bring back an older file without those after it.
            self.dir.sync_dir(FOLDER).map_err(io_error("sync the folder of", &path))?;
        }
    }

    fn first(&self) -> Lsn {
        let shown = self.shown.lock();
        shown.files.first().map_or(shown.next, |file| file.first)
    }

    fn next(&self) -> Lsn {
        self.shown.lock().next
    }

    fn size_bytes(&self) -> u64 {
        self.shown.lock().files.iter().map(|file| file.end).sum()
    }
}

#[cfg(test)]
mod tests;
