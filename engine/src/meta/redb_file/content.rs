//! How keys and values lie in the storage engine's tables, with checksums that do not rely on its own.

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::super::{Check, Op, Rev};

/// Key to sealed value.
const VALUES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("values");

/// One entry: the tally.
const TALLY: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tally");

const TALLY_KEY: &str = "tally";

/// Why an operation inside the file failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The storage engine said so.
    Engine(redb::Error),
    /// The bytes are not what was written.
    Corrupt(String),
    /// The check of this key does not hold.
    Conflict(String),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}

/// The sum over all entries, which tells a table that lost or gained some from a sound one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) rev: Rev,
    entries: u64,
    /// Sum of the checksums of all entries.
    sum: u64,
}

impl Tally {
    fn add(&mut self, crc: u32) {
        self.entries = self.entries.wrapping_add(1);
        self.sum = self.sum.wrapping_add(u64::from(crc));
    }

    fn subtract(&mut self, crc: u32) {
        self.entries = self.entries.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(u64::from(crc));
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        for number in [self.rev, self.entries, self.sum] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (rev, rest) = bytes.split_first_chunk()?;
        let (entries, rest) = rest.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let number = u64::from_le_bytes;
        rest.is_empty().then(|| Self { rev: number(*rev), entries: number(*entries), sum: number(*sum) })
    }
}

/// The checksum of an entry: CRC-32C of key length, key and value.
fn crc_of(key: &str, value: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&(key.len() as u64).to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, key.as_bytes()), value)
}

/// The stored form of a value: its entry's checksum, then itself.
fn seal(key: &str, value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(4 + value.len());
    sealed.extend_from_slice(&crc_of(key, value).to_le_bytes());
    sealed.extend_from_slice(value);
    sealed
}

/// The value and the checksum in a stored form, if they agree.
fn unseal<'v>(key: &str, sealed: &'v [u8]) -> Result<(&'v [u8], u32), Failure> {
    let parts = sealed.split_first_chunk().map(|(crc, value)| (value, u32::from_le_bytes(*crc)));
    let sound = parts.filter(|(value, crc)| crc_of(key, value) == *crc);
    sound.ok_or_else(|| Failure::Corrupt(format!("the value of key {key:?} fails its checksum")))
}

/// Makes the tables of an empty file.
pub(super) fn initialize(database: &Database) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    transaction.open_table(VALUES)?;
    write_tally(&transaction, &Tally::default())?;
    Ok(transaction.commit()?)
}

fn write_tally(transaction: &WriteTransaction, tally: &Tally) -> Result<(), Failure> {
    let sealed = seal(TALLY_KEY, &tally.encode());
    transaction.open_table(TALLY)?.insert(TALLY_KEY, &*sealed)?;
    Ok(())
}

/// Reads everything and compares it with the tally.
pub(super) fn verify(database: &Database) -> Result<Tally, Failure> {
    let transaction = database.begin_read()?;
    let told = read_tally(&transaction)?;
    let mut counted = Tally { rev: told.rev, ..Tally::default() };
    for entry in transaction.open_table(VALUES)?.iter()? {
        let (key, sealed) = entry?;
        counted.add(unseal(key.value(), sealed.value())?.1);
    }
    if counted == told {
        return Ok(told);
    }
    Err(Failure::Corrupt(format!("it holds {} keys, {} of another sum were written", counted.entries, told.entries)))
}

fn read_tally(transaction: &ReadTransaction) -> Result<Tally, Failure> {
    let table = transaction.open_table(TALLY)?;
    let sealed = table.get(TALLY_KEY)?.ok_or_else(|| Failure::Corrupt("its tally is missing".to_owned()))?;
    let (bytes, _crc) = unseal(TALLY_KEY, sealed.value())?;
    Tally::decode(bytes).ok_or_else(|| Failure::Corrupt("its tally is of another length".to_owned()))
}

pub(super) fn get(database: &Database, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let table = database.begin_read()?.open_table(VALUES)?;
    table.get(key)?.map(|sealed| Ok(unseal(key, sealed.value())?.0.to_vec())).transpose()
}

pub(super) fn scan(database: &Database, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let table = database.begin_read()?.open_table(VALUES)?;
    let mut found = Vec::new();
    for entry in table.range(prefix..)? {
        let (key, sealed) = entry?;
        let key = key.value();
        if !key.starts_with(prefix) {
            break;
        }
        found.push((key.to_owned(), unseal(key, sealed.value())?.0.to_vec()));
    }
    Ok(found)
}

/// Commits on top of `tally` and returns the one that holds then.
pub(super) fn commit(database: &Database, tally: Tally, checks: &[Check], ops: &[Op]) -> Result<Tally, Failure> {
    let transaction = database.begin_write()?;
    let mut next = tally;
    {
        let mut table = transaction.open_table(VALUES)?;
        for check in checks {
            if !holds(&table, check)? {
                return Err(Failure::Conflict(check.key().to_owned()));
            }
        }
        for op in ops {
            apply(&mut table, op, &mut next)?;
        }
    }
    if ops.is_empty() {
        transaction.abort()?;
        return Ok(tally);
    }
    next.rev += 1;
    write_tally(&transaction, &next)?;
    transaction.commit()?;
    Ok(next)
}

fn holds(table: &Table<'_, &str, &[u8]>, check: &Check) -> Result<bool, Failure> {
    let sealed = table.get(check.key())?;
    let value = sealed.as_ref().map(|sealed| unseal(check.key(), sealed.value())).transpose()?;
    Ok(check.holds(value.map(|(value, _crc)| value)))
}

fn apply(table: &mut Table<'_, &str, &[u8]>, op: &Op, tally: &mut Tally) -> Result<(), Failure> {
    let before = match op {
        Op::Put { key, value } => {
            tally.add(crc_of(key, value));
            table.insert(&**key, &*seal(key, value))?
        }
        Op::Delete { key } => table.remove(&**key)?,
    };
    if let Some(sealed) = before {
        tally.subtract(unseal(op.key(), sealed.value())?.1);
    }
    Ok(())
}
