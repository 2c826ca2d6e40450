//! Tests of JSON values: each needed text is read once.

use super::super::error::EvalError;
use super::super::json::{Elements, Json, Offset, find};
use super::super::mask::{Mask, Tri};
use super::super::node::{JsonTest, Place};
use super::super::number::{Number, Order};
use super::super::set::{Const, JsonSet};
use super::Chunk;
use elanus_segment::ValuesView;
use std::cmp::Ordering;

impl Chunk<'_> {
    /// Calls back with each needed row and the value at the place, unless that is missing or null.
    pub(super) fn each_json(
        &self,
        place: &Place,
        need: &Mask,
        mut found: impl FnMut(usize, &Json<'_>) -> Result<(), Offset>,
    ) -> Result<(), EvalError> {
        let view = self.view(place.field);
        let ValuesView::Json(texts) = view.values else { return Err(self.mistyped(place.field)) };
        for row in self.valid(place.field).and(need).rows() {
            let text = texts.get_bytes(self.start + row);
            let read = find(text, &place.steps).and_then(|value| match value {
                None | Some(Json::Null) => Ok(()),
                Some(value) => found(row, &value),
            });
            read.map_err(|offset| EvalError::Json { field: self.name(place.field), row: self.start + row, offset })?;
        }
        Ok(())
    }

    pub(super) fn json(&self, place: &Place, test: &JsonTest, need: &Mask) -> Result<Tri, EvalError> {
        let mut result = Tri::UNKNOWN;
        self.each_json(place, need, |row, value| {
            result.set(row, test.holds(value)?);
            Ok(())
        })?;
        Ok(result)
    }

    pub(super) fn json_present(&self, place: &Place, need: &Mask) -> Result<Tri, EvalError> {
        let mut yes = Mask::NONE;
        self.each_json(place, need, |row, _| {
            yes.set(row);
            Ok(())
        })?;
        Ok(Tri::known(&yes, &Mask::ALL))
    }

    /// The numbers at a place, and for which rows there are any.
    pub(super) fn json_numbers(&self, place: &Place, need: &Mask) -> Result<(Vec<Number>, Mask), EvalError> {
        let mut numbers = vec![Number::Int(0); self.len];
        let mut known = Mask::NONE;
        self.each_json(place, need, |row, value| {
            if let Json::Number(number) = value {
                numbers[row] = *number;
                known.set(row);
            }
            Ok(())
        })?;
        Ok((numbers, known))
    }

    /// The lengths of the arrays at a place, and for which rows there are any.
    pub(super) fn json_lengths(&self, place: &Place, need: &Mask) -> Result<(Vec<i64>, Mask), EvalError> {
        let mut lengths = vec![0; self.len];
        let mut known = Mask::NONE;
        self.each_json(place, need, |row, value| {
            if let Json::Array(array) = value {
                lengths[row] = Elements::new(array).count()? as i64;
                known.set(row);
            }
            Ok(())
        })?;
        Ok((lengths, known))
    }
}

impl JsonTest {
    /// Whether a value that is there passes; `None` if its type says nothing to the test.
    fn holds(&self, value: &Json<'_>) -> Result<Option<bool>, Offset> {
        let text = if let Json::Text(text) = value { Some(&**text) } else { None };
        match self {
            Self::Truth => Ok(if let Json::Bool(value) = value { Some(*value) } else { None }),
            Self::Compare(tests) => {
                let mut all = Some(true);
                for (order, constant) in tests {
                    match compare(value, *order, constant)? {
                        Some(true) => {}
                        Some(false) => return Ok(Some(false)),
                        None => all = None,
                    }
                }
                Ok(all)
            }
            Self::In(set) => Ok(if set.has_type_of(value) { Some(set.contains(value)?) } else { None }),
            Self::Like(like) => Ok(text.map(|text| like.matches(text))),
            Self::Regex(regex) => Ok(text.map(|text| regex.is_match(text))),
            Self::Contains(_) | Self::ContainsAll(_) | Self::ContainsAny(_) => {
                if let Json::Array(array) = value {
                    self.contains(Elements::new(array)).map(Some)
                } else {
                    Ok(Some(false))
                }
            }
        }
    }

    fn contains(&self, elements: Elements<'_>) -> Result<bool, Offset> {
        if let Self::ContainsAll(set) = self {
            return contains_all(set, elements);
        }
        for element in elements {
            let element = element?;
            let found = match self {
                Self::Contains(constant) => constant.equals(&element)? == Some(true),
                Self::ContainsAny(set) => set.contains(&element)?,
                Self::ContainsAll(_)
                | Self::Truth
                | Self::Compare(_)
                | Self::In(_)
                | Self::Like(_)
                | Self::Regex(_) => false,
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn contains_all(set: &JsonSet, elements: Elements<'_>) -> Result<bool, Offset> {
    let mut seen = vec![false; set.len()];
    let mut left = seen.len();
    for element in elements {
        if left == 0 {
            break;
        }
        set.each(&element?, |number| left -= usize::from(!std::mem::replace(&mut seen[number], true)))?;
    }
    Ok(left == 0)
}

/// `value order constant`; `None` for values of different types.
fn compare(value: &Json<'_>, order: Order, constant: &Const) -> Result<Option<bool>, Offset> {
    if order.is_equality() {
        return Ok(constant.equals(value)?.map(|equal| equal == (order == Order::Eq)));
    }
    let ordering: Ordering = match (value, constant) {
        (Json::Number(value), Const::Number(constant)) => return Ok(Some(order.holds(value.compare(*constant)))),
        (Json::Text(value), Const::Text(constant)) => (**value).cmp(constant),
        _ => return Ok(None),
    };
    Ok(Some(order.holds(Some(ordering))))
}
