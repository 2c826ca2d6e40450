//! Binary32: stored as it is computed.
use super::{Number, element};
use crate::float::{self, Float, Isa};

element!(f32, F32, float::f32_versions);

impl Number for f32 {
    fn to_f32(self) -> f32 {
        self
    }

    fn from_f32(value: f32) -> Self {
        value
    }
}

impl Float for f32 {
    #[inline(always)]
    unsafe fn load<I: Isa>(from: *const Self) -> I::F32 {
        // SAFETY: the caller's duties are the same.
        unsafe { I::load_f32(from) }
    }

    #[inline(always)]
    unsafe fn load_up_to<I: Isa>(from: *const Self, count: usize) -> I::F32 {
        // SAFETY: the caller's duties are the same.
        unsafe { I::load_up_to_f32(from, count) }
    }
}
