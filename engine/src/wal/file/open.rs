//! Opens a log: checks every file, cuts off what an unfinished append left, refuses damage.

use std::sync::Arc;

use elanus_segment::dir::{Dir, DirFile};
use parking_lot::Mutex;

use super::header::{self, FILE_HEADER_BYTES};
use super::scan::{Bad, Scanner, Step};
use super::{FIRST_LSN, FOLDER, FileWal, LogFile, Lsn, Shown, WalError, WalSettings, Writer, create_file, io_error};

/// Bytes that opening a log cut off its end, since the append that wrote them never finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The path within the directory.
    pub file: String,
    /// Where the file ends now.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// The number of the first record that was cut off, which the next append uses again.
    pub lsn: Lsn,
    /// What was wrong with it.
    pub what: String,
}

impl FileWal {
    /// Opens the log in the folder `wal` of a directory and reads through all of it; a new log is made if there are no
    /// files.
    ///
    /// # Errors
    /// [`WalError::Corrupt`] for every damage that an unfinished append cannot have left, [`WalError::Newer`] for files
    /// of a later format, [`WalError::Io`] if a file cannot be read, cut or made.
    pub fn open(dir: Arc<dyn Dir>, settings: WalSettings) -> Result<Self, WalError> {
        let mut found = Found { files: Vec::new(), last: None, next: FIRST_LSN, cut: None };
        let firsts = list(&*dir)?;
        for (place, &first) in firsts.iter().enumerate() {
            found.add(&*dir, first, place + 1 == firsts.len())?;
        }
        let (last, file) = match found.last {
            Some(last) => last,
            None => create_file(&*dir, found.next, settings.salt)?,
        };
        found.files.push(last.clone());
        Ok(Self {
            dir,
            settings,
            cut: found.cut,
            writer: Mutex::new(Writer { file, log: last, next: found.next, poisoned: false, buffer: Vec::new() }),
            shown: Mutex::new(Shown { files: found.files, next: found.next }),
            truncating: Mutex::new(()),
        })
    }
}

/// The first record of each file, ascending.
fn list(dir: &dyn Dir) -> Result<Vec<Lsn>, WalError> {
    let mut firsts = Vec::new();
    for name in dir.list(FOLDER).map_err(io_error("list", FOLDER))? {
        let Some(stem) = name.strip_suffix(".log") else { continue };
        match Lsn::from_str_radix(stem, 16) {
            Ok(first) if stem.len() == 16 && first >= FIRST_LSN => firsts.push(first),
            Ok(_) | Err(_) => {
                let what = "its name is not the number of a record".to_owned();
                return Err(WalError::Corrupt { file: format!("{FOLDER}/{name}"), offset: 0, what });
            }
        }
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// What has been read so far.
struct Found {
    /// All but the last one.
    files: Vec<LogFile>,
    /// The one that takes the next record.
    last: Option<(LogFile, Arc<dyn DirFile>)>,
    next: Lsn,
    cut: Option<Cut>,
}

impl Found {
    /// Reads through the file that is named after record `first`.
    fn add(&mut self, dir: &dyn Dir, first: Lsn, is_last: bool) -> Result<(), WalError> {
        let path = super::path_of(first);
        let file = dir.open(&path).map_err(io_error("open", &path))?;
        let len = file.len().map_err(io_error("read", &path))?;
        let before = self.last.take().map(|(log, file)| {
            self.files.push(log);
            file
        });
        if before.is_some() && first != self.next {
            let what = format!("record {} follows in the file before, files are missing in between", self.next);
            return Err(WalError::Corrupt { file: path, offset: 0, what });
        }
        let salt = match read_header(&*file, &path, first, len) {
            // Records are written only once the header is durable, so this file was being made and holds none.
            Err(WalError::Corrupt { .. }) if is_last && len <= FILE_HEADER_BYTES => {
                return self.remake(dir, first, &path, before.is_some());
            }
            other => other?,
        };
        self.next = first;
        let end = self.scan(&*file, &path, LogFile { first, salt, end: len }, is_last)?;
        self.last = Some((LogFile { first, salt, end }, Arc::from(file)));
        Ok(())
    }

    /// Removes a file that was never finished, so that it is made anew.
    fn remake(&mut self, dir: &dyn Dir, first: Lsn, path: &str, follows: bool) -> Result<(), WalError> {
        if !follows && first != FIRST_LSN {
            // A lone file was made long before the files in front of it were truncated.
            let what = "the header of the file is damaged".to_owned();
            return Err(WalError::Corrupt { file: path.to_owned(), offset: 0, what });
        }
        dir.remove(path).map_err(io_error("remove", path))?;
        dir.sync_dir(FOLDER).map_err(io_error("sync the folder of", path))
    }

    /// Reads all records of a file and returns where the last one ends.
    fn scan(&mut self, file: &dyn DirFile, path: &str, log: LogFile, is_last: bool) -> Result<u64, WalError> {
        let mut scanner = Scanner::new(file, log.salt, FILE_HEADER_BYTES, log.end, self.next);
        loop {
            match scanner.step().map_err(io_error("read", path))? {
                Step::Record(..) => {}
                Step::End(_) => break,
                Step::Bad(bad) => {
                    if !is_last || !scanner.is_torn_tail(&bad).map_err(io_error("read", path))? {
                        return Err(WalError::Corrupt {
                            file: path.to_owned(),
                            offset: scanner.offset,
                            what: bad.what,
                        });
                    }
                    self.cut = Some(cut(file, path, &scanner, log.end, bad)?);
                    break;
                }
            }
        }
        if is_last && self.cut.is_none() {
            // A killed process may have written these records without a sync, and from now on they count as durable.
            file.sync_data().map_err(io_error("sync", path))?;
        }
        self.next = scanner.next;
        Ok(scanner.offset)
    }
}

fn read_header(file: &dyn DirFile, path: &str, first: Lsn, len: u64) -> Result<u32, WalError> {
    let mut bytes = [0; FILE_HEADER_BYTES as usize];
    if len < FILE_HEADER_BYTES {
        let what = format!("{len} bytes are too few for the header of the file");
        return Err(WalError::Corrupt { file: path.to_owned(), offset: 0, what });
    }
    file.read_at(0, &mut bytes).map_err(io_error("read", path))?;
    header::decode(path, first, &bytes)
}

/// Ends the file where the scanner stands. Durable at once: a later append must not be followed by old records.
fn cut(file: &dyn DirFile, path: &str, scanner: &Scanner<'_>, len: u64, bad: Bad) -> Result<Cut, WalError> {
    file.set_len(scanner.offset).map_err(io_error("cut", path))?;
    file.sync_all().map_err(io_error("sync", path))?;
    let (offset, lsn) = (scanner.offset, scanner.next);
    let cut = Cut { file: path.to_owned(), offset, bytes: len - offset, lsn, what: bad.what };
    tracing::warn!(cut.file, cut.offset, cut.bytes, cut.lsn, cut.what, "cut an unfinished append off the log");
    Ok(cut)
}
