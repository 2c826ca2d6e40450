//! One small error enum per operation, each naming the thing and its numbers.

use std::fmt;

use elanus_kernels::codes::sq::SqError;
use elanus_kernels::{ElementType, KernelError, Metric};

use crate::Stage;
use crate::read_at::ReadError;

/// Why a set of parameters was refused.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamError {
    /// The index type has no such parameter at this stage.
    Unknown {
        /// The name as given.
        name: String,
        /// The stage that was parsed.
        stage: Stage,
        /// The names that would have been taken.
        known: Vec<&'static str>,
    },
    /// The parameter belongs to the other stage.
    WrongStage {
        /// The parameter.
        name: &'static str,
        /// The stage it belongs to.
        belongs: Stage,
    },
    /// The text is no value of the parameter's kind.
    NotA {
        /// The parameter.
        name: &'static str,
        /// The text as given.
        value: String,
        /// What it should have been.
        want: &'static str,
    },
    /// The integer lies outside the range.
    IntRange {
        /// The parameter.
        name: &'static str,
        /// The value as given.
        value: i64,
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// The number lies outside the range.
    FloatRange {
        /// The parameter.
        name: &'static str,
        /// The value as given.
        value: f64,
        /// The least value.
        min: f64,
        /// The greatest value.
        max: f64,
    },
    /// The word is not one of the choices.
    Choice {
        /// The parameter.
        name: &'static str,
        /// The word as given.
        value: String,
        /// The words that would have been taken.
        choices: &'static [&'static str],
    },
    /// The parameter was given twice with different values.
    Twice {
        /// The parameter.
        name: &'static str,
        /// The value given first.
        first: String,
        /// The value given after it.
        second: String,
    },
    /// The value does not go with the others, or not with such vectors.
    Conflict {
        /// The parameter.
        name: &'static str,
        /// The value given.
        value: String,
        /// What is wrong with it here.
        problem: String,
    },
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, stage, known } if known.is_empty() => {
                write!(f, "unknown {stage} parameter {name:?}: this index takes none")
            }
            Self::Unknown { name, stage, known } => {
                write!(f, "unknown {stage} parameter {name:?}: known are {}", known.join(", "))
            }
            Self::WrongStage { name, belongs } => write!(f, "parameter {name} belongs to the {belongs} stage"),
            Self::NotA { name, value, want } => write!(f, "parameter {name} is {value:?}, which is not {want}"),
            Self::IntRange { name, value, min, max } => {
                write!(f, "parameter {name} is {value}, outside [{min}, {max}]")
            }
            Self::FloatRange { name, value, min, max } => {
                write!(f, "parameter {name} is {value}, outside [{min}, {max}]")
            }
            Self::Choice { name, value, choices } => {
                write!(f, "parameter {name} is {value:?}, which is none of {}", choices.join(", "))
            }
            Self::Twice { name, first, second } => {
                write!(f, "parameter {name} is given twice, as {first:?} and as {second:?}")
            }
            Self::Conflict { name, value, problem } => write!(f, "parameter {name} is {value:?}: {problem}"),
        }
    }
}

impl std::error::Error for ParamError {}

/// Why a description of an index was refused.
#[derive(Clone, Debug, PartialEq)]
pub enum SpecError {
    /// The index type does not take this element type with this metric.
    Unsupported {
        /// The index type.
        index: &'static str,
        /// The element type asked for.
        element: ElementType,
        /// The metric asked for.
        metric: Metric,
    },
    /// The dimension is outside what an index takes.
    Dim {
        /// The dimension asked for.
        dim: usize,
        /// The greatest dimension.
        max: usize,
    },
    /// A parameter was refused.
    Param(ParamError),
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { index, element, metric } => {
                write!(f, "index {index} does not take {} vectors with metric {}", element.name(), metric.name())
            }
            Self::Dim { dim, max } => write!(f, "dimension {dim} is outside [1, {max}]"),
            Self::Param(_) => write!(f, "index parameters refused"),
        }
    }
}

impl std::error::Error for SpecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unsupported { .. } | Self::Dim { .. } => None,
            Self::Param(e) => Some(e),
        }
    }
}

impl From<ParamError> for SpecError {
    fn from(e: ParamError) -> Self {
        Self::Param(e)
    }
}

/// Why an index could not be built.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildError {
    /// The spec was made for another index type.
    Factory {
        /// The index type that was asked to build.
        want: &'static str,
        /// The index type of the spec.
        got: &'static str,
    },
    /// The rows are of another element type than the spec.
    Element {
        /// The spec's element type.
        want: ElementType,
        /// The rows' element type.
        got: ElementType,
    },
    /// The rows have another dimension than the spec.
    Dim {
        /// The spec's dimension.
        want: usize,
        /// The rows' dimension.
        got: usize,
    },
    /// The bitmap of rows that have a vector does not cover the rows.
    Present {
        /// The number of rows.
        want: usize,
        /// The bitmap's length.
        got: usize,
    },
    /// There are more rows than ids.
    TooManyRows {
        /// The number of rows.
        rows: usize,
        /// The greatest number of rows.
        max: usize,
    },
    /// The links would not fit into the address space.
    TooLarge {
        /// The number of rows.
        rows: usize,
        /// Links kept for each of them.
        degree: usize,
    },
    /// No distance kernel could be had.
    Kernel(KernelError),
    /// The scalar quantizer refused its parameters, a row or a query.
    Quantizer(SqError),
    /// The caller cancelled.
    Cancelled,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factory { want, got } => write!(f, "a spec of index {got} was given to index {want}"),
            Self::Element { want, got } => write!(f, "rows are {}, the spec says {}", got.name(), want.name()),
            Self::Dim { want, got } => write!(f, "rows have dimension {got}, the spec says {want}"),
            Self::Present { want, got } => write!(f, "the present bitmap has {got} bits for {want} rows"),
            Self::TooManyRows { rows, max } => write!(f, "{rows} rows are more than an index holds, which is {max}"),
            Self::TooLarge { rows, degree } => write!(f, "{rows} rows with {degree} links each do not fit in memory"),
            Self::Kernel(_) => write!(f, "no distance kernel for this build"),
            Self::Quantizer(_) => write!(f, "no codes for this build"),
            Self::Cancelled => write!(f, "build cancelled"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Kernel(e) => Some(e),
            Self::Quantizer(e) => Some(e),
            Self::Factory { .. }
            | Self::Element { .. }
            | Self::Dim { .. }
            | Self::Present { .. }
            | Self::TooManyRows { .. }
            | Self::TooLarge { .. }
            | Self::Cancelled => None,
        }
    }
}

impl From<KernelError> for BuildError {
    fn from(e: KernelError) -> Self {
        Self::Kernel(e)
    }
}

impl From<SqError> for BuildError {
    fn from(e: SqError) -> Self {
        Self::Quantizer(e)
    }
}

/// Why saved bytes could not be opened as an index.
#[derive(Clone, Debug, PartialEq)]
pub enum OpenError {
    /// The spec was made for another index type.
    Factory {
        /// The index type that was asked to open.
        want: &'static str,
        /// The index type of the spec.
        got: &'static str,
    },
    /// The bytes do not begin with the magic number.
    Magic {
        /// The eight bytes found.
        got: [u8; 8],
    },
    /// The bytes are of a later layout than this code reads.
    Version {
        /// The version found.
        got: u32,
        /// The latest version that is read.
        max: u32,
    },
    /// The bytes hold another kind of index.
    Kind {
        /// The kind wanted.
        want: &'static str,
        /// The kind number found.
        got: u32,
    },
    /// The bytes end before something that should be there.
    Truncated {
        /// What should be there.
        section: &'static str,
        /// Where it should begin.
        offset: u64,
        /// How many bytes it needs.
        need: u64,
        /// How many bytes there are in all.
        have: u64,
    },
    /// A section is not where sections may be.
    Misplaced {
        /// The section.
        section: &'static str,
        /// Where it claims to be.
        offset: u64,
    },
    /// A section that must be there is missing.
    Missing {
        /// The section.
        section: &'static str,
    },
    /// A section has another length than the header implies.
    Length {
        /// The section.
        section: &'static str,
        /// Where it begins.
        offset: u64,
        /// The length that the header implies.
        want: u64,
        /// The length it has.
        got: u64,
    },
    /// A section is not aligned in memory, so it cannot be used in place.
    Misaligned {
        /// The section.
        section: &'static str,
        /// Where it begins.
        offset: u64,
    },
    /// The bytes were saved from another spec.
    Mismatch {
        /// What differs.
        what: &'static str,
        /// The spec's value.
        want: u64,
        /// The saved value.
        got: u64,
    },
    /// A value is not one that a writer can have written.
    Value {
        /// The section.
        section: &'static str,
        /// Where the value lies.
        offset: u64,
        /// What is wrong with it.
        problem: &'static str,
        /// The value.
        got: u64,
    },
    /// The memory allowed is less than the index needs.
    Memory {
        /// Bytes that it needs.
        need: u64,
        /// Bytes that it may take.
        have: u64,
    },
    /// The bytes could not be read, or are not those that were written.
    Read(ReadError),
    /// No distance kernel could be had.
    Kernel(KernelError),
    /// The scalar quantizer refused its parameters, a row or a query.
    Quantizer(SqError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factory { want, got } => write!(f, "a spec of index {got} was given to index {want}"),
            Self::Magic { got } => write!(f, "not a saved index: it begins with {got:02x?}"),
            Self::Version { got, max } => write!(f, "saved index has version {got}, this code reads up to {max}"),
            Self::Kind { want, got } => write!(f, "saved index is of kind {got}, not {want}"),
            Self::Truncated { section, offset, need, have } => {
                write!(f, "saved index is cut: {section} at offset {offset} needs {need} bytes, there are {have}")
            }
            Self::Misplaced { section, offset } => write!(f, "section {section} is misplaced at offset {offset}"),
            Self::Missing { section } => write!(f, "section {section} is missing"),
            Self::Length { section, offset, want, got } => {
                write!(f, "section {section} at offset {offset} has {got} bytes, not {want}")
            }
            Self::Misaligned { section, offset } => {
                write!(f, "section {section} at offset {offset} is not aligned in memory")
            }
            Self::Mismatch { what, want, got } => write!(f, "saved index has {what} {got}, the spec says {want}"),
            Self::Value { section, offset, problem, got } => {
                write!(f, "section {section} at offset {offset}: {problem}: {got}")
            }
            Self::Memory { need, have } => write!(f, "the index needs {need} bytes of memory, {have} are allowed"),
            Self::Read(_) => write!(f, "the index cannot be read"),
            Self::Kernel(_) => write!(f, "no distance kernel for this index"),
            Self::Quantizer(_) => write!(f, "no codes for this index"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Kernel(e) => Some(e),
            Self::Quantizer(e) => Some(e),
            Self::Read(e) => Some(e),
            Self::Factory { .. }
            | Self::Magic { .. }
            | Self::Version { .. }
            | Self::Kind { .. }
            | Self::Truncated { .. }
            | Self::Misplaced { .. }
            | Self::Missing { .. }
            | Self::Length { .. }
            | Self::Misaligned { .. }
            | Self::Mismatch { .. }
            | Self::Memory { .. }
            | Self::Value { .. } => None,
        }
    }
}

impl From<KernelError> for OpenError {
    fn from(e: KernelError) -> Self {
        Self::Kernel(e)
    }
}

impl From<SqError> for OpenError {
    fn from(e: SqError) -> Self {
        Self::Quantizer(e)
    }
}

/// Why a search was refused or ended early.
#[derive(Clone, Debug, PartialEq)]
pub enum SearchError {
    /// The query or the rows are of another element type than the index.
    Element {
        /// The index's element type.
        want: ElementType,
        /// The element type given.
        got: ElementType,
    },
    /// The query or the rows have another dimension than the index.
    Dim {
        /// The index's dimension.
        want: usize,
        /// The dimension given.
        got: usize,
    },
    /// The rows lent are not as many as the index was built over.
    Rows {
        /// The index's number of rows.
        want: usize,
        /// The number of rows given.
        got: usize,
    },
    /// The filter does not cover the rows.
    Filter {
        /// The number of bits that it needs.
        want: usize,
        /// The number of bits that it has.
        got: usize,
    },
    /// The result holder is of another size than the search asks for.
    Holder {
        /// The search's `k`, or the number of holders wanted.
        want: usize,
        /// What the holder has.
        got: usize,
    },
    /// The query holds NaN or an infinity.
    NotFinite {
        /// Where in the query.
        position: usize,
        /// The value there.
        value: f32,
    },
    /// A search parameter must not be less than `k`.
    BelowK {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The search's `k`.
        k: usize,
    },
    /// The index could not be read, or is not what was written.
    Read(ReadError),
    /// Two search parameters that ask for the same in different ways.
    Both {
        /// The parameters.
        names: [&'static str; 2],
    },
    /// No distance kernel could be had.
    Kernel(KernelError),
    /// The scalar quantizer refused its parameters, a row or a query.
    Quantizer(SqError),
    /// The caller cancelled.
    Cancelled,
}

impl fmt::Display for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element { want, got } => write!(f, "{} vectors given to an index of {}", got.name(), want.name()),
            Self::Dim { want, got } => write!(f, "dimension {got} given to an index of dimension {want}"),
            Self::Rows { want, got } => write!(f, "{got} rows given to an index built over {want}"),
            Self::Filter { want, got } => write!(f, "the filter has {got} bits, it needs {want}"),
            Self::Holder { want, got } => write!(f, "the result holder is for {got}, the search is for {want}"),
            Self::NotFinite { position, value } => write!(f, "the query has {value} at position {position}"),
            Self::BelowK { name, value, k } => write!(f, "parameter {name} is {value}, less than k, which is {k}"),
            Self::Both { names: [one, other] } => write!(f, "parameter {one} and parameter {other} exclude each other"),
            Self::Read(_) => write!(f, "the index cannot be read"),
            Self::Kernel(_) => write!(f, "no distance kernel for this search"),
            Self::Quantizer(_) => write!(f, "no codes for this search"),
            Self::Cancelled => write!(f, "search cancelled"),
        }
    }
}

impl std::error::Error for SearchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Kernel(e) => Some(e),
            Self::Quantizer(e) => Some(e),
            Self::Read(e) => Some(e),
            Self::Element { .. }
            | Self::Dim { .. }
            | Self::Rows { .. }
            | Self::Filter { .. }
            | Self::Holder { .. }
            | Self::NotFinite { .. }
            | Self::BelowK { .. }
            | Self::Both { .. }
            | Self::Cancelled => None,
        }
    }
}

impl From<KernelError> for SearchError {
    fn from(e: KernelError) -> Self {
        Self::Kernel(e)
    }
}

impl From<SqError> for SearchError {
    fn from(e: SqError) -> Self {
        Self::Quantizer(e)
    }
}
