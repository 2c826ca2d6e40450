//! One scalar value, as defaults and literals have it.

use super::DataType;
use serde::{Deserialize, Serialize};

/// A scalar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// No value.
    Null,
    /// Bool.
    Bool(bool),
    /// Any of the integer types.
    Int(i64),
    /// Float or Double.
    Float(f64),
    /// VarChar.
    String(String),
}

impl Value {
    /// Whether a column of that type can hold it without loss of meaning.
    pub fn fits(&self, data_type: DataType) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(_) => data_type == DataType::Bool,
            Self::Int(value) => match data_type.integer_range() {
                Some((least, greatest)) => (least..=greatest).contains(value),
                None => data_type.is_number(),
            },
            Self::Float(_) => matches!(data_type, DataType::Float | DataType::Double),
            Self::String(_) => data_type == DataType::VarChar,
        }
    }
}
