//! Bytes as numbers, signed and unsigned.
use super::{Number, element};
use crate::int;

element!(i8, I8, int::versions);
element!(u8, U8, int::versions);

impl Number for i8 {
    fn to_f32(self) -> f32 {
        f32::from(self)
    }

    fn from_f32(value: f32) -> Self {
        value.round_ties_even() as Self
    }
}

impl Number for u8 {
    fn to_f32(self) -> f32 {
        f32::from(self)
    }

    fn from_f32(value: f32) -> Self {
        value.round_ties_even() as Self
    }
}
