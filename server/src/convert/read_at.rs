//! Consistency: which writes a read must see.

use crate::proto::common::ConsistencyLevel as WireLevel;
use crate::status::Failure;
use elanus::{ConsistencyLevel, ReadAt};

/// Guarantee timestamps up to this one are no times but wishes: 0 is now, 1 is any time, 2 is a bounded delay.
const WISH_MAX: u64 = 2;

/// What a read says of the writes that it must see.
#[derive(Debug, Clone, Copy)]
pub struct Guarantee {
    /// Number of the consistency level.
    pub level: i32,
    /// Whether the collection's own level counts in its place.
    pub use_default: bool,
    /// Timestamp, or one of the wishes.
    pub timestamp: u64,
    /// Whether the read is a page of an iterator, whose pages all read at the first one's time.
    pub iterates: bool,
}

/// A consistency level of the protocol.
///
/// # Errors
/// A number that is none.
pub fn level(number: i32) -> Result<ConsistencyLevel, Failure> {
    let level = WireLevel::try_from(number)
        .map_err(|_unknown| Failure::parameter(format!("unknown consistency level {number}")))?;
    Ok(match level {
        WireLevel::Strong => ConsistencyLevel::Strong,
        WireLevel::Session => ConsistencyLevel::Session,
        WireLevel::Bounded => ConsistencyLevel::Bounded,
        WireLevel::Eventually => ConsistencyLevel::Eventually,
        WireLevel::Customized => ConsistencyLevel::Customized,
    })
}

/// The protocol's number of a consistency level.
pub fn wire_level(level: ConsistencyLevel) -> i32 {
    let level = match level {
        ConsistencyLevel::Strong => WireLevel::Strong,
        ConsistencyLevel::Session => WireLevel::Session,
        ConsistencyLevel::Bounded => WireLevel::Bounded,
        ConsistencyLevel::Eventually => WireLevel::Eventually,
        ConsistencyLevel::Customized => WireLevel::Customized,
    };
    level.into()
}

/// Which writes a read must see.
///
/// # Errors
/// An unknown consistency level.
pub fn read_at(guarantee: Guarantee) -> Result<ReadAt, Failure> {
    let level = level(guarantee.level)?;
    if guarantee.iterates && guarantee.timestamp > WISH_MAX {
        return Ok(ReadAt::Snapshot(guarantee.timestamp));
    }
    if guarantee.use_default {
        return Ok(ReadAt::Default);
    }
    Ok(match (level, guarantee.timestamp) {
        (ConsistencyLevel::Strong, _) => ReadAt::Strong,
        (ConsistencyLevel::Bounded, _) => ReadAt::Bounded,
        (ConsistencyLevel::Eventually, _) => ReadAt::Eventually,
        (ConsistencyLevel::Session | ConsistencyLevel::Customized, 0) => ReadAt::Strong,
        (ConsistencyLevel::Session | ConsistencyLevel::Customized, 1) => ReadAt::Eventually,
        (ConsistencyLevel::Session | ConsistencyLevel::Customized, WISH_MAX) => ReadAt::Bounded,
        (ConsistencyLevel::Session, timestamp) => ReadAt::Session(timestamp),
        (ConsistencyLevel::Customized, timestamp) => ReadAt::Customized(timestamp),
    })
}

#[cfg(test)]
mod tests;
