//! Binary32: stored as it is computed.
use super::{Element, ElementType, plumbing::Stored};
use crate::{
    driver::Cells,
    isa::{Isa, Table},
    rows::{AnyRows, Rows, Vector},
};

impl Element for f32 {
    const TYPE: ElementType = ElementType::F32;

    fn to_f32(self) -> f32 {
        self
    }

    fn from_f32(value: f32) -> Self {
        value
    }
}

impl Stored for f32 {
    #[inline(always)]
    unsafe fn load<I: Isa>(from: *const Self) -> I::F32 {
        // SAFETY: the caller's duties are the same.
        unsafe { I::load_f32(from) }
    }

    #[inline(always)]
    unsafe fn load_first<I: Isa>(from: *const Self, count: usize) -> I::F32 {
        // SAFETY: the caller's duties are the same.
        unsafe { I::load_first_f32(from, count) }
    }

    fn cells(table: &'static Table) -> &'static Cells<Self> {
        &table.f32
    }

    fn any_rows(rows: Rows<'_, Self>) -> AnyRows<'_> {
        AnyRows::F32(rows)
    }

    fn typed_rows(rows: AnyRows<'_>) -> Option<Rows<'_, Self>> {
        match rows {
            AnyRows::F32(rows) => Some(rows),
            AnyRows::F16(_) => None,
        }
    }

    fn any_vector(row: &[Self]) -> Vector<'_> {
        Vector::F32(row)
    }

    fn typed_vector(row: Vector<'_>) -> Option<&[Self]> {
        match row {
            Vector::F32(row) => Some(row),
            Vector::F16(_) => None,
        }
    }
}
