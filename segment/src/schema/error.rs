//! What can be wrong with a schema.

use super::DataType;
use std::fmt;
use std::ops::RangeInclusive;

/// A rule that a schema breaks.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaError {
    /// More fields than allowed.
    TooManyFields {
        /// Fields given.
        count: usize,
        /// Most allowed.
        max: usize,
    },
    /// More vector fields than allowed.
    TooManyVectors {
        /// Fields given.
        count: usize,
        /// Most allowed.
        max: usize,
    },
    /// No vector field.
    NoVector,
    /// No primary key.
    NoPrimaryKey,
    /// Several primary keys.
    ManyPrimaryKeys {
        /// Keys given.
        count: usize,
    },
    /// A name (or number) that two fields share.
    DuplicateName {
        /// Name of the second.
        field: String,
    },
    /// A name with a character that is not allowed, or too long.
    Name {
        /// The name.
        field: String,
        /// Greatest length.
        max: usize,
    },
    /// A dimension out of range.
    Dim {
        /// Name of the field.
        field: String,
        /// Dimension given; 0 if none.
        dim: u32,
        /// What is allowed.
        range: RangeInclusive<u32>,
    },
    /// A VarChar whose `max_length` is missing or out of range.
    MaxLength {
        /// Name of the field.
        field: String,
        /// Length given; 0 if none.
        max_length: u32,
        /// Greatest length.
        max: u32,
    },
    /// A default value that the field's type cannot hold.
    Default {
        /// Name of the field.
        field: String,
        /// Its type.
        data_type: DataType,
    },
    /// Another rule.
    Field {
        /// Name of the field.
        field: String,
        /// The rule.
        rule: &'static str,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyFields { count, max } => write!(f, "{count} fields, at most {max} are allowed"),
            Self::TooManyVectors { count, max } => write!(f, "{count} vector fields, at most {max} are allowed"),
            Self::NoVector => f.write_str("a schema needs at least one vector field"),
            Self::NoPrimaryKey => f.write_str("a schema needs a primary key"),
            Self::ManyPrimaryKeys { count } => write!(f, "{count} primary keys, exactly one is allowed"),
            Self::DuplicateName { field } => write!(f, "field {field} stands twice in the schema"),
            Self::Name { field, max } => write!(
                f,
                "invalid field name {field:?}: letters, digits and underscores, not beginning with a digit, at most {max} characters"
            ),
            Self::Dim { field, dim, range } => {
                write!(f, "field {field}: dim {dim} is not in {}..={}", range.start(), range.end())
            }
            Self::MaxLength { field, max_length, max } => {
                write!(f, "field {field}: max_length {max_length} is not in 1..={max}")
            }
            Self::Default { field, data_type } => {
                write!(f, "field {field}: the default is no value of type {data_type}")
            }
            Self::Field { field, rule } => write!(f, "field {field}: {rule}"),
        }
    }
}

impl std::error::Error for SchemaError {}
