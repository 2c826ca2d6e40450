//! Tests of one column against constants.

use super::super::error::EvalError;
use super::super::mask::{Mask, Tri};
use super::super::number::Order;
use super::super::set::{FloatSet, IntSet};
use super::Chunk;
use elanus_segment::{StringsView, ValuesView};

/// An integer type of a column.
trait Int: Copy + Ord + Into<i64> {
    /// The value if it fits, else the end of the type that is nearer.
    fn saturate(value: i64) -> Self;
}

macro_rules! int {
    ($($type:ty)*) => { $(impl Int for $type {
        fn saturate(value: i64) -> Self {
            value.clamp(i64::from(Self::MIN), i64::from(Self::MAX)) as Self
        }
    })* };
}
int!(i8 i16 i32 i64);

fn widen<T: Int>(value: T) -> i64 {
    value.into()
}

/// The rows within a range whose ends may lie outside of the type.
fn within<T: Int>(values: &[T], least: i64, greatest: i64) -> Mask {
    let (low, high) = (T::saturate(least), T::saturate(greatest));
    if low.into() < least || high.into() > greatest {
        return Mask::NONE;
    }
    Mask::of_values(values, |value| (value >= low) & (value <= high))
}

/// The same test for each integer width; `$values` is the part of the column that belongs to the chunk.
macro_rules! each_int {
    ($chunk:expr, $field:expr, |$values:ident| $body:expr) => {{
        let rows = $chunk.start..$chunk.start + $chunk.len;
        match $chunk.view($field).values {
            ValuesView::Int8(column) => {
                let $values = &column[rows];
                Ok($body)
            }
            ValuesView::Int16(column) => {
                let $values = &column[rows];
                Ok($body)
            }
            ValuesView::Int32(column) => {
                let $values = &column[rows];
                Ok($body)
            }
            ValuesView::Int64(column) => {
                let $values = &column[rows];
                Ok($body)
            }
            ValuesView::Bool(_)
            | ValuesView::Float(_)
            | ValuesView::Double(_)
            | ValuesView::VarChar(_)
            | ValuesView::Json(_)
            | ValuesView::FloatVector(_)
            | ValuesView::Float16Vector(_) => Err($chunk.mistyped($field)),
        }
    }};
}

impl Chunk<'_> {
    pub(super) fn flag(&self, field: usize) -> Result<Tri, EvalError> {
        let ValuesView::Bool(column) = self.view(field).values else { return Err(self.mistyped(field)) };
        let yes = Mask::of_values(&column[self.start..self.start + self.len], |value| value != 0);
        Ok(Tri::known(&yes, &self.valid(field)))
    }

    pub(super) fn int_range(&self, field: usize, least: i64, greatest: i64) -> Result<Tri, EvalError> {
        let yes = each_int!(self, field, |values| within(values, least, greatest))?;
        Ok(Tri::known(&yes, &self.valid(field)))
    }

    pub(super) fn int_in(&self, field: usize, set: &IntSet) -> Result<Tri, EvalError> {
        let yes = each_int!(self, field, |values| Mask::of_values(values, |value| set.contains(widen(value))))?;
        Ok(Tri::known(&yes, &self.valid(field)))
    }

    /// The integers of the chunk, widened.
    pub(super) fn ints(&self, field: usize) -> Result<Vec<i64>, EvalError> {
        each_int!(self, field, |values| values.iter().map(|&value| widen(value)).collect())
    }

    pub(super) fn float_range(&self, field: usize, least: f64, greatest: f64) -> Result<Tri, EvalError> {
        let rows = self.start..self.start + self.len;
        let view = self.view(field);
        let yes = if let ValuesView::Float(column) = view.values {
            // Exact: the bounds of a Float field were made as floats.
            let (least, greatest) = (least as f32, greatest as f32);
            Mask::of_values(&column[rows], |value| (value >= least) & (value <= greatest))
        } else if let ValuesView::Double(column) = view.values {
            Mask::of_values(&column[rows], |value| (value >= least) & (value <= greatest))
        } else {
            return Err(self.mistyped(field));
        };
        Ok(Tri::known(&yes, &self.valid(field)))
    }

    pub(super) fn float_in(&self, field: usize, set: &FloatSet) -> Result<Tri, EvalError> {
        let rows = self.start..self.start + self.len;
        let view = self.view(field);
        let yes = if let ValuesView::Float(column) = view.values {
            Mask::of_values(&column[rows], |value| set.contains(f64::from(value)))
        } else if let ValuesView::Double(column) = view.values {
            Mask::of_values(&column[rows], |value| set.contains(value))
        } else {
            return Err(self.mistyped(field));
        };
        Ok(Tri::known(&yes, &self.valid(field)))
    }

    /// The floating-point numbers of the chunk, widened.
    pub(super) fn floats(&self, field: usize) -> Result<Vec<f64>, EvalError> {
        let rows = self.start..self.start + self.len;
        let view = self.view(field);
        if let ValuesView::Float(column) = view.values {
            Ok(column[rows].iter().map(|&value| f64::from(value)).collect())
        } else if let ValuesView::Double(column) = view.values {
            Ok(column[rows].to_vec())
        } else {
            Err(self.mistyped(field))
        }
    }

    fn strings(&self, field: usize) -> Result<StringsView<'_>, EvalError> {
        match self.view(field).values {
            ValuesView::VarChar(strings) => Ok(strings),
            ValuesView::Bool(_)
            | ValuesView::Int8(_)
            | ValuesView::Int16(_)
            | ValuesView::Int32(_)
            | ValuesView::Int64(_)
            | ValuesView::Float(_)
            | ValuesView::Double(_)
            | ValuesView::Json(_)
            | ValuesView::FloatVector(_)
            | ValuesView::Float16Vector(_) => Err(self.mistyped(field)),
        }
    }

    /// A test of the bytes of each needed text.
    pub(super) fn bytes(&self, field: usize, need: &Mask, test: impl Fn(&[u8]) -> bool) -> Result<Tri, EvalError> {
        let strings = self.strings(field)?;
        let known = self.valid(field).and(need);
        let mut yes = Mask::NONE;
        for row in known.rows() {
            if test(strings.get_bytes(self.start + row)) {
                yes.set(row);
            }
        }
        Ok(Tri::known(&yes, &known))
    }

    /// A test of each needed text.
    pub(super) fn texts(&self, field: usize, need: &Mask, test: impl Fn(&str) -> bool) -> Result<Tri, EvalError> {
        let strings = self.strings(field)?;
        let known = self.valid(field).and(need);
        let mut yes = Mask::NONE;
        for row in known.rows() {
            if test(strings.get(self.start + row)) {
                yes.set(row);
            }
        }
        Ok(Tri::known(&yes, &known))
    }

    /// Two texts of each needed row.
    pub(super) fn text_pair(&self, order: Order, fields: [usize; 2], need: &Mask) -> Result<Tri, EvalError> {
        let [left, right] = [self.strings(fields[0])?, self.strings(fields[1])?];
        let known = self.valid(fields[0]).and(&self.valid(fields[1])).and(need);
        let mut yes = Mask::NONE;
        for row in known.rows() {
            let row_of_block = self.start + row;
            let ordering = left.get_bytes(row_of_block).cmp(right.get_bytes(row_of_block));
            if order.holds(Some(ordering)) {
                yes.set(row);
            }
        }
        Ok(Tri::known(&yes, &known))
    }
}
