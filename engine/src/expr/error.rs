//! What is wrong with a filter, and where; what is wrong with the data it reads.

use super::tree::Span;
use elanus_segment::DataType;
use std::borrow::Cow;

/// Characters of the text shown on either side of the place.
const EXCERPT_CHARS: usize = 24;

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprError {
    /// Byte offset of the place in the text.
    pub position: usize,
    /// Bytes that are wrong there; 0 at the end of the text.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    excerpt: String,
}

impl std::fmt::Display for ExprError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { position, message, excerpt, .. } = self;
        write!(f, "cannot parse expression: {message} at position {position}: {excerpt}")
    }
}

impl std::error::Error for ExprError {}

/// A fault inside the compiler, which does not hold the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) span: Span,
    pub(crate) message: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(span: Span, message: impl Into<Cow<'static, str>>) -> Self {
        Self { span, message: message.into() }
    }

    /// The error that the user sees.
    pub(crate) fn in_text(self, text: &str) -> ExprError {
        let border = |at: u32| text.floor_char_boundary((at as usize).min(text.len()));
        let (start, end) = (border(self.span.start), border(self.span.end.max(self.span.start)));
        ExprError {
            position: start,
            length: end - start,
            message: self.message.into_owned(),
            excerpt: excerpt(&text[..start], &text[start..end], &text[end..]),
        }
    }
}

/// One line of the text around the place, which stands between `>>>` and `<<<`.
fn excerpt(before: &str, marked: &str, after: &str) -> String {
    let head: Vec<char> = before.chars().rev().take(EXCERPT_CHARS).collect();
    let tail: String = after.chars().take(EXCERPT_CHARS).collect();
    let shown: String = marked.chars().take(2 * EXCERPT_CHARS).collect();
    let cut = |whole: &str, part: usize| if whole.len() > part { "..." } else { "" };
    let head: String = head.into_iter().rev().collect();
    let line = format!(
        "{}{head}>>>{shown}{}<<<{tail}{}",
        cut(before, head.len()),
        cut(marked, shown.len()),
        cut(after, tail.len())
    );
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Why a filter could not be evaluated over a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvalError {
    /// A column of another type than the schema had when the filter was compiled.
    Type {
        /// Name of the field.
        field: String,
        /// Its type in the schema.
        want: DataType,
        /// Type of the column.
        got: DataType,
    },
    /// A column of another length than its block.
    Length {
        /// Name of the field.
        field: String,
        /// Rows of the block.
        want: usize,
        /// Rows of the column.
        got: usize,
    },
    /// A stored value that is not JSON.
    Json {
        /// Name of the field.
        field: String,
        /// Row in the block.
        row: usize,
        /// Byte offset in the value.
        offset: usize,
    },
}

impl std::fmt::Display for EvalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Type { field, want, got } => write!(f, "field {field} is {want}, its column is {got}"),
            Self::Length { field, want, got } => write!(f, "field {field} has {got} rows in a block of {want}"),
            Self::Json { field, row, offset } => {
                write!(f, "field {field} holds no JSON in row {row} of the block, at byte {offset}")
            }
        }
    }
}

impl std::error::Error for EvalError {}
