//! Bytes as numbers, signed and unsigned.
use super::{Number, element};
use crate::{cell::Cell, int, isa::Version, metric::Metric};

element!(i8, I8, i8_versions);
element!(u8, U8, u8_versions);

// Never inlined, so that the kernels are compiled here and not again in every crate that names one.
#[inline(never)]
fn i8_versions(metric: Metric) -> &'static [Version<Cell<i8>>] {
    int::versions(metric)
}

#[inline(never)]
fn u8_versions(metric: Metric) -> &'static [Version<Cell<u8>>] {
    int::versions(metric)
}

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
