//! The data types: one table, from which names, wire numbers and widths follow.

use serde::{Deserialize, Serialize};

macro_rules! data_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, wire $wire:literal, width $width:expr, vector $vector:literal;)*) => {
        /// Type of a field's values.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum DataType { $($(#[$doc])* $variant,)* }

        /// Every data type, in the order of the wire numbers.
        pub const DATA_TYPES: &[DataType] = &[$(DataType::$variant,)*];

        impl DataType {
            /// Name as Milvus spells it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Number in Milvus's `schema.DataType`.
            pub fn wire_number(self) -> i32 {
                match self { $(Self::$variant => $wire,)* }
            }

            /// Bytes of one value (of one component, for a vector); `None` where values differ in length.
            pub fn width(self) -> Option<usize> {
                match self { $(Self::$variant => $width,)* }
            }

            /// Whether values are vectors.
            pub fn is_vector(self) -> bool {
                match self { $(Self::$variant => $vector,)* }
            }

            /// The type with that number in Milvus's `schema.DataType`, if it is served.
            pub fn from_wire(number: i32) -> Option<Self> {
                DATA_TYPES.iter().copied().find(|data_type| data_type.wire_number() == number)
            }
        }
    };
}

data_types! {
    /// True or false.
    Bool = "Bool", wire 1, width Some(1), vector false;
    /// 8-bit integer.
    Int8 = "Int8", wire 2, width Some(1), vector false;
    /// 16-bit integer.
    Int16 = "Int16", wire 3, width Some(2), vector false;
    /// 32-bit integer.
    Int32 = "Int32", wire 4, width Some(4), vector false;
    /// 64-bit integer.
    Int64 = "Int64", wire 5, width Some(8), vector false;
    /// 32-bit floating point.
    Float = "Float", wire 10, width Some(4), vector false;
    /// 64-bit floating point.
    Double = "Double", wire 11, width Some(8), vector false;
    /// UTF-8 text of bounded length.
    VarChar = "VarChar", wire 21, width None, vector false;
    /// One JSON value.
    Json = "JSON", wire 23, width None, vector false;
    /// Dense vector of 32-bit floats.
    FloatVector = "FloatVector", wire 101, width Some(4), vector true;
    /// Dense vector of 16-bit floats (IEEE 754 binary16).
    Float16Vector = "Float16Vector", wire 102, width Some(2), vector true;
}

impl DataType {
    /// Whether values are integers.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }

    /// Whether values are integers or floating point.
    pub fn is_number(self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double)
    }

    /// Least and greatest value of an integer type.
    pub fn integer_range(self) -> Option<(i64, i64)> {
        match self {
            Self::Int8 => Some((i64::from(i8::MIN), i64::from(i8::MAX))),
            Self::Int16 => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
            Self::Int32 => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            Self::Int64 => Some((i64::MIN, i64::MAX)),
            Self::Bool
            | Self::Float
            | Self::Double
            | Self::VarChar
            | Self::Json
            | Self::FloatVector
            | Self::Float16Vector => None,
        }
    }
}

impl std::fmt::Display for DataType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
