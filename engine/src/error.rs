//! The engine's error: who must act (`ErrorKind`), on what (`Subject`), and a sentence.

use std::error::Error as StdError;
use std::fmt;

/// Result of an engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who must act on an error, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is wrong; it will fail again.
    InvalidArgument,
    /// What is named does not exist.
    NotFound,
    /// What is to be made exists already.
    AlreadyExists,
    /// The state does not allow it, or somebody else was first.
    Conflict,
    /// Not now; try again.
    Unavailable,
    /// A limit of memory, disk or a queue is reached.
    Exhausted,
    /// The caller or a shutdown stopped it.
    Cancelled,
    /// Stored bytes are damaged.
    Corrupt,
    /// Milvus knows it, Elanus does not do it.
    Unsupported,
    /// A fault of Elanus.
    Internal,
}

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A database.
    Database,
    /// A collection.
    Collection,
    /// A collection that is not loaded.
    NotLoaded,
    /// A partition.
    Partition,
    /// An index.
    Index,
    /// A parameter of an index.
    IndexParameter,
    /// An alias.
    Alias,
    /// A field.
    Field,
    /// A schema.
    Schema,
    /// Rows or vectors.
    Data,
    /// A filter expression.
    Expression,
    /// Another parameter.
    Parameter,
    /// A timestamp.
    Timestamp,
    /// Memory.
    Memory,
    /// Disk.
    Disk,
    /// The request as a whole.
    Request,
    /// The engine as a whole.
    Engine,
}

/// What went wrong. Adding context never changes the kind.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    subject: Subject,
    text: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of that kind about that subject.
    pub fn new(kind: ErrorKind, subject: Subject, text: impl Into<String>) -> Self {
        Self { kind, subject, text: text.into(), source: None }
    }

    pub(crate) fn invalid(subject: Subject, text: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, subject, text)
    }

    pub(crate) fn not_found(subject: Subject, text: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, subject, text)
    }

    pub(crate) fn exists(subject: Subject, text: impl Into<String>) -> Self {
        Self::new(ErrorKind::AlreadyExists, subject, text)
    }

    pub(crate) fn unsupported(subject: Subject, text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, subject, text)
    }

    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, Subject::Engine, text)
    }

    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, Subject::Engine, text)
    }

    pub(crate) fn cancelled(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Cancelled, Subject::Request, text)
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Who must act.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The same error once more, without its source: one failure told to several callers.
    pub(crate) fn twin(&self) -> Self {
        Self::new(self.kind, self.subject, self.to_string())
    }
}

impl fmt::Display for Error {
    /// The whole chain on one line. Some causes tell their own causes in their text, others do not: none is told twice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.text.clone();
        let mut next = self.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !told.contains(&text) {
                told.push_str(": ");
                told.push_str(&text);
            }
            next = cause.source();
        }
        f.write_str(&told)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| -> &(dyn StdError + 'static) { source })
    }
}

#[cfg(test)]
mod tests;
