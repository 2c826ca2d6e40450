//! The log's records: one write each, whole or not at all.

use elanus_segment::{Batch, Keys, Schema, codec};

const KIND_INSERT: u8 = 1;
const KIND_DELETE: u8 = 2;
const KIND_UPSERT: u8 = 3;
/// kind, collection, partition, timestamp
const HEADER_BYTES: usize = 1 + 8 + 8 + 8;
const TS_AT: usize = 17;
/// In a delete: every partition.
pub(crate) const ALL_PARTITIONS: i64 = -1;

/// One write.
#[derive(Debug)]
pub(crate) enum Write {
    /// New rows.
    Insert(Batch),
    /// Rows with these keys go.
    Delete(Keys),
    /// Rows with these keys go, new ones come.
    Upsert(Keys, Batch),
}

/// Where and when a write happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    kind: u8,
    pub(crate) collection_id: i64,
    pub(crate) partition_id: i64,
    pub(crate) ts: u64,
}

/// Encodes a write whose timestamp `stamp` sets later.
pub(crate) fn encode(collection_id: i64, partition_id: i64, write: &Write) -> Vec<u8> {
    let (kind, size) = match write {
        Write::Insert(batch) => (KIND_INSERT, batch.size_bytes()),
        Write::Delete(_) => (KIND_DELETE, 0),
        Write::Upsert(_, batch) => (KIND_UPSERT, batch.size_bytes()),
    };
    let mut record = Vec::with_capacity(HEADER_BYTES + size + 1024);
    record.push(kind);
    record.extend_from_slice(&collection_id.to_le_bytes());
    record.extend_from_slice(&partition_id.to_le_bytes());
    record.extend_from_slice(&0_u64.to_le_bytes());
    match write {
        Write::Insert(batch) => codec::encode(batch, &mut record),
        Write::Delete(keys) => keys.encode(&mut record),
        Write::Upsert(keys, batch) => {
            let at = record.len();
            record.extend_from_slice(&0_u64.to_le_bytes());
            keys.encode(&mut record);
            let length = (record.len() - at - 8) as u64;
            record[at..at + 8].copy_from_slice(&length.to_le_bytes());
            codec::encode(batch, &mut record);
        }
    }
    record
}

/// Sets the timestamp of an encoded write.
pub(crate) fn stamp(record: &mut [u8], ts: u64) {
    record[TS_AT..HEADER_BYTES].copy_from_slice(&ts.to_le_bytes());
}

/// Reads where and when.
pub(crate) fn decode_header(record: &[u8]) -> Result<Header, String> {
    let header =
        record.get(..HEADER_BYTES).ok_or_else(|| format!("a record of {} bytes has no header", record.len()))?;
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&header[at..at + 8]);
        bytes
    };
    if !matches!(header[0], KIND_INSERT | KIND_DELETE | KIND_UPSERT) {
        return Err(format!("unknown kind of record {}", header[0]));
    }
    Ok(Header {
        kind: header[0],
        collection_id: i64::from_le_bytes(word(1)),
        partition_id: i64::from_le_bytes(word(9)),
        ts: u64::from_le_bytes(word(TS_AT)),
    })
}

/// Reads the write itself.
pub(crate) fn decode(record: &[u8], schema: &Schema) -> Result<Write, String> {
    let header = decode_header(record)?;
    let body = &record[HEADER_BYTES..];
    let batch = |bytes: &[u8]| codec::decode(bytes, schema).map_err(|error| error.to_string());
    let keys = |bytes: &[u8]| Keys::decode(bytes).map_err(|error| error.to_string());
    if header.kind == KIND_INSERT {
        return Ok(Write::Insert(batch(body)?));
    }
    if header.kind == KIND_DELETE {
        return Ok(Write::Delete(keys(body)?));
    }
    let (length, rest) = body.split_first_chunk::<8>().ok_or("an upsert without keys")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "an upsert with too many keys")?;
    let (key_bytes, batch_bytes) = rest.split_at_checked(length).ok_or("an upsert whose keys are cut off")?;
    Ok(Write::Upsert(keys(key_bytes)?, batch(batch_bytes)?))
}
