//! The only table between the engine's errors, Milvus's codes (present and legacy) and HTTP.

use crate::proto::common::{ErrorCode as Legacy, Status};
use elanus::{ErrorKind, Subject};
use std::borrow::Cow;
use std::collections::HashMap;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $legacy:ident, $http:literal, $fault:ident;)*) => {
        /// What a request failed of, as Milvus tells failures apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        /// Every code, in the order of the numbers.
        pub const CODES: &[Code] = &[$(Code::$name,)*];

        impl Code {
            /// Milvus's number.
            pub fn number(self) -> i32 {
                match self { $(Self::$name => $code,)* }
            }

            /// The number that clients of before Milvus 2.3 look at.
            pub fn legacy(self) -> Legacy {
                match self { $(Self::$name => Legacy::$legacy,)* }
            }

            /// HTTP status.
            pub fn http(self) -> u16 {
                match self { $(Self::$name => $http,)* }
            }

            fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault,)* }
            }
        }
    };
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The caller must send something else.
    Input,
    /// The same request may succeed later.
    Passing,
    /// Whoever runs the server.
    Server,
}

codes! {
    /// The server is starting.
    NotReady = 1, NotReadyServe, 503, Passing;
    /// The server is stopping, or a part of it is out of order.
    ServiceUnavailable = 2, UnexpectedError, 503, Passing;
    /// The request needs more memory than there is.
    MemoryLimit = 3, InsufficientMemoryToLoad, 507, Server;
    /// Too many requests at the same time.
    RequestLimit = 4, UnexpectedError, 429, Passing;
    /// A fault of the server.
    Internal = 5, UnexpectedError, 500, Server;
    /// The disk is full.
    DiskLimit = 7, DiskQuotaExhausted, 507, Server;
    /// More requests or writes than there is room for at present: clients send the request again after a while.
    RateLimit = 8, RateLimit, 429, Passing;
    /// Something that Milvus has and this server does not.
    Unimplemented = 10, UnexpectedError, 501, Input;
    /// No such collection.
    CollectionNotFound = 100, CollectionNotExists, 404, Input;
    /// The collection must be loaded first.
    CollectionNotLoaded = 101, UnexpectedError, 409, Input;
    /// More collections than allowed.
    CollectionLimit = 102, UnexpectedError, 409, Input;
    /// A schema that breaks a rule.
    CollectionSchema = 105, UnexpectedError, 400, Input;
    /// The data does not fit the collection's present schema: the client fetches the schema and tries once more.
    SchemaMismatch = 109, SchemaMismatch, 409, Input;
    /// No such partition.
    PartitionNotFound = 200, UnexpectedError, 404, Input;
    /// The partition must be loaded first.
    PartitionNotLoaded = 201, UnexpectedError, 409, Input;
    /// No such segment.
    SegmentNotFound = 600, SegmentNotFound, 404, Input;
    /// No such index.
    IndexNotFound = 700, IndexNotExist, 404, Input;
    /// The field has a different index already.
    IndexDuplicate = 702, UnexpectedError, 409, Input;
    /// No such database.
    DatabaseNotFound = 800, UnexpectedError, 404, Input;
    /// More databases than allowed.
    DatabaseLimit = 801, UnexpectedError, 409, Input;
    /// A name that no database can have, or that one has already.
    DatabaseInvalidName = 802, UnexpectedError, 400, Input;
    /// Reading or writing a file failed.
    Io = 1001, UnexpectedError, 500, Server;
    /// A parameter with a value that is not allowed.
    ParameterInvalid = 1100, IllegalArgument, 400, Input;
    /// A parameter that must be given.
    ParameterMissing = 1101, IllegalArgument, 400, Input;
    /// A request that is too large.
    ParameterTooLarge = 1102, IllegalArgument, 413, Input;
    /// No such alias.
    AliasNotFound = 1600, UnexpectedError, 404, Input;
    /// A collection has that name.
    AliasCollectionNameConflict = 1601, UnexpectedError, 409, Input;
    /// The alias belongs to another collection.
    AliasExists = 1602, UnexpectedError, 409, Input;
    /// No such field.
    FieldNotFound = 1700, UnexpectedError, 404, Input;
    /// The client went away.
    Cancelled = 10000, UnexpectedError, 499, Passing;
    /// The request took longer than it was allowed to.
    Timeout = 10001, UnexpectedError, 504, Passing;
}

impl Code {
    /// Whether the same request may succeed later.
    pub fn is_retriable(self) -> bool {
        self.fault() == Fault::Passing
    }

    /// Whether the caller must send something else.
    pub fn is_input(self) -> bool {
        self.fault() == Fault::Input
    }
}

/// Most bytes of a reason that are told.
const REASON_BYTES_MAX: usize = 1500;

/// Why a request failed: a code, and a sentence for whoever reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: Code,
    reason: Cow<'static, str>,
}

impl Failure {
    /// A failure with that code. Names in the reason may be as long as a request; the reason is cut short then.
    pub fn of(code: Code, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > REASON_BYTES_MAX {
            let kept = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
            reason = Cow::Owned(format!("{kept}... ({} bytes in all)", reason.len()));
        }
        Self { code, reason }
    }

    /// A parameter has a value that is not allowed.
    pub fn parameter(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Code::ParameterInvalid, reason)
    }

    /// A parameter must be given.
    pub fn missing(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Code::ParameterMissing, reason)
    }

    /// Something that Milvus has and this server does not; `what` is its name.
    pub fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::of(Code::Unimplemented, format!("{what} is not supported"))
    }

    /// What failed.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Milvus's code for an error of the engine.
pub fn code(kind: ErrorKind, subject: Subject) -> Code {
    match kind {
        ErrorKind::NotFound => not_found(subject),
        ErrorKind::InvalidArgument => invalid(subject),
        ErrorKind::AlreadyExists => exists(subject),
        ErrorKind::Conflict => conflict(subject),
        ErrorKind::Exhausted => exhausted(subject),
        ErrorKind::Unavailable => Code::ServiceUnavailable,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::Corrupt => Code::Io,
        ErrorKind::Internal => Code::Internal,
    }
}

fn not_found(subject: Subject) -> Code {
    match subject {
        Subject::Database => Code::DatabaseNotFound,
        Subject::Collection | Subject::NotLoaded => Code::CollectionNotFound,
        Subject::Partition => Code::PartitionNotFound,
        Subject::Index => Code::IndexNotFound,
        Subject::Alias => Code::AliasNotFound,
        Subject::Field => Code::FieldNotFound,
        Subject::IndexParameter
        | Subject::Schema
        | Subject::Data
        | Subject::Expression
        | Subject::Parameter
        | Subject::Timestamp
        | Subject::Memory
        | Subject::Disk
        | Subject::Request
        | Subject::Engine => Code::ParameterInvalid,
    }
}

fn invalid(subject: Subject) -> Code {
    match subject {
        Subject::Database => Code::DatabaseInvalidName,
        Subject::NotLoaded => Code::CollectionNotLoaded,
        Subject::Schema => Code::CollectionSchema,
        Subject::Request => Code::ParameterTooLarge,
        Subject::Collection
        | Subject::Partition
        | Subject::Index
        | Subject::IndexParameter
        | Subject::Alias
        | Subject::Field
        | Subject::Data
        | Subject::Expression
        | Subject::Parameter
        | Subject::Timestamp
        | Subject::Memory
        | Subject::Disk
        | Subject::Engine => Code::ParameterInvalid,
    }
}

fn exists(subject: Subject) -> Code {
    match subject {
        Subject::Alias => Code::AliasExists,
        Subject::Index => Code::IndexDuplicate,
        Subject::Database => Code::DatabaseInvalidName,
        Subject::Collection
        | Subject::NotLoaded
        | Subject::Partition
        | Subject::IndexParameter
        | Subject::Field
        | Subject::Schema
        | Subject::Data
        | Subject::Expression
        | Subject::Parameter
        | Subject::Timestamp
        | Subject::Memory
        | Subject::Disk
        | Subject::Request
        | Subject::Engine => Code::ParameterInvalid,
    }
}

fn conflict(subject: Subject) -> Code {
    match subject {
        Subject::Alias => Code::AliasCollectionNameConflict,
        Subject::Schema => Code::SchemaMismatch,
        Subject::Database
        | Subject::Collection
        | Subject::NotLoaded
        | Subject::Partition
        | Subject::Index
        | Subject::IndexParameter
        | Subject::Field
        | Subject::Data
        | Subject::Expression
        | Subject::Parameter
        | Subject::Timestamp
        | Subject::Memory
        | Subject::Disk
        | Subject::Request
        | Subject::Engine => Code::ParameterInvalid,
    }
}

fn exhausted(subject: Subject) -> Code {
    match subject {
        Subject::Disk => Code::DiskLimit,
        Subject::Memory => Code::MemoryLimit,
        Subject::Collection => Code::CollectionLimit,
        Subject::Database => Code::DatabaseLimit,
        Subject::NotLoaded
        | Subject::Partition
        | Subject::Index
        | Subject::IndexParameter
        | Subject::Alias
        | Subject::Field
        | Subject::Schema
        | Subject::Data
        | Subject::Expression
        | Subject::Parameter
        | Subject::Timestamp => Code::ParameterInvalid,
        Subject::Request => Code::RateLimit,
        Subject::Engine => Code::RequestLimit,
    }
}

impl From<elanus::Error> for Failure {
    fn from(error: elanus::Error) -> Self {
        Self::of(code(error.kind(), error.subject()), error.to_string())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}

impl From<&Failure> for Status {
    fn from(failure: &Failure) -> Self {
        let code = failure.code;
        let extra_info = if code.is_input() {
            HashMap::from([("is_input_error".to_owned(), "true".to_owned())])
        } else {
            HashMap::new()
        };
        Self {
            // Clients look at either number: both are set.
            error_code: code.legacy().into(),
            code: code.number(),
            reason: failure.reason.clone().into_owned(),
            retriable: code.is_retriable(),
            detail: failure.reason.clone().into_owned(),
            extra_info,
        }
    }
}

#[cfg(test)]
mod tests;
