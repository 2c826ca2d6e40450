//! Numbers that are worked out for each row, and comparisons between them.

use super::super::error::EvalError;
use super::super::mask::{Mask, Tri};
use super::super::node::Num;
use super::super::number::{Arith, Number, Order};
use super::Chunk;

/// One number for each row of a chunk; where it is not known it is a filler.
enum Lanes {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Any(Vec<Number>),
}

impl Lanes {
    fn into_floats(self) -> Vec<f64> {
        match self {
            Self::Int(values) => values.into_iter().map(|value| value as f64).collect(),
            Self::Float(values) => values,
            Self::Any(values) => values.into_iter().map(Number::to_f64).collect(),
        }
    }

    fn into_numbers(self) -> Vec<Number> {
        match self {
            Self::Int(values) => values.into_iter().map(|value| Number::Int(i128::from(value))).collect(),
            Self::Float(values) => values.into_iter().map(Number::Float).collect(),
            Self::Any(values) => values,
        }
    }
}

impl Chunk<'_> {
    /// `left order right` for each needed row.
    pub(super) fn numbers(&self, order: Order, sides: &[Num; 2], need: &Mask) -> Result<Tri, EvalError> {
        let (left, known_left) = self.lanes(&sides[0], need)?;
        let (right, known_right) = self.lanes(&sides[1], &need.and(&known_left))?;
        let known = known_left.and(&known_right);
        let yes = match (left, right) {
            (Lanes::Int(left), Lanes::Int(right)) => {
                holds(&left, &right, |left, right| order.holds(Some(left.cmp(&right))))
            }
            (Lanes::Float(left), Lanes::Float(right)) => {
                holds(&left, &right, |left, right| order.holds(left.partial_cmp(&right)))
            }
            (left, right) => {
                let (left, right) = (left.into_numbers(), right.into_numbers());
                holds(&left, &right, |left, right| order.holds(left.compare(right)))
            }
        };
        Ok(Tri::known(&yes, &known))
    }

    /// The numbers of an expression, and for which rows they are known.
    fn lanes(&self, num: &Num, need: &Mask) -> Result<(Lanes, Mask), EvalError> {
        Ok(match num {
            Num::Const(Number::Float(value)) => (Lanes::Float(vec![*value; self.len]), Mask::ALL),
            Num::Const(number @ Number::Int(value)) => match i64::try_from(*value) {
                Ok(value) => (Lanes::Int(vec![value; self.len]), Mask::ALL),
                Err(_) => (Lanes::Any(vec![*number; self.len]), Mask::ALL),
            },
            Num::Int(field) => (Lanes::Int(self.ints(*field)?), self.valid(*field)),
            Num::Float(field) => (Lanes::Float(self.floats(*field)?), self.valid(*field)),
            Num::Json(place) => {
                let (numbers, known) = self.json_numbers(place, need)?;
                (Lanes::Any(numbers), known)
            }
            Num::Length(place) => {
                let (lengths, known) = self.json_lengths(place, need)?;
                (Lanes::Int(lengths), known)
            }
            Num::Negate(inner) => {
                let (lanes, known) = self.lanes(inner, need)?;
                let zero = match lanes {
                    // Not 0 - x, which has no negative zero; they compare equal, but have different reciprocals.
                    Lanes::Float(values) => {
                        return Ok((Lanes::Float(values.into_iter().map(|value| -value).collect()), known));
                    }
                    Lanes::Int(_) => Lanes::Int(vec![0; self.len]),
                    Lanes::Any(_) => Lanes::Any(vec![Number::Int(0); self.len]),
                };
                apply(Arith::Sub, zero, lanes, known)
            }
            Num::Arith(arith, sides) => {
                let (left, known_left) = self.lanes(&sides[0], need)?;
                let (right, known_right) = self.lanes(&sides[1], &need.and(&known_left))?;
                apply(*arith, left, right, known_left.and(&known_right))
            }
        })
    }
}

fn holds<T: Copy>(left: &[T], right: &[T], test: impl Fn(T, T) -> bool) -> Mask {
    let mut yes = Mask::NONE;
    for ((word, left), right) in yes.0.iter_mut().zip(left.chunks(64)).zip(right.chunks(64)) {
        let pairs = left.iter().zip(right).enumerate();
        *word = pairs.fold(0, |word, (row, (&left, &right))| word | u64::from(test(left, right)) << row);
    }
    yes
}

/// The results of an operator, and for which rows there are any.
fn apply(arith: Arith, left: Lanes, right: Lanes, known: Mask) -> (Lanes, Mask) {
    let mut known = known;
    let lanes = match (left, right) {
        (Lanes::Int(left), Lanes::Int(right)) => Lanes::Int(zip(&left, &right, &mut known, |a, b| arith.int(a, b))),
        (left @ Lanes::Any(_), right) | (left, right @ Lanes::Any(_)) => {
            let (left, right) = (left.into_numbers(), right.into_numbers());
            let zeros = Number::Int(0);
            Lanes::Any(zip_or(zeros, &left, &right, &mut known, |a, b| arith.number(a, b)))
        }
        (left, right) => {
            let (left, right) = (left.into_floats(), right.into_floats());
            Lanes::Float(zip(&left, &right, &mut known, |a, b| arith.float(a, b)))
        }
    };
    (lanes, known)
}

fn zip<T: Copy + Default>(left: &[T], right: &[T], known: &mut Mask, op: impl Fn(T, T) -> Option<T>) -> Vec<T> {
    zip_or(T::default(), left, right, known, op)
}

fn zip_or<T: Copy>(filler: T, left: &[T], right: &[T], known: &mut Mask, op: impl Fn(T, T) -> Option<T>) -> Vec<T> {
    let mut results = Vec::with_capacity(left.len());
    for ((word, left), right) in known.0.iter_mut().zip(left.chunks(64)).zip(right.chunks(64)) {
        let mut there = 0;
        for (row, (&left, &right)) in left.iter().zip(right).enumerate() {
            let result = op(left, right);
            there |= u64::from(result.is_some()) << row;
            results.push(result.unwrap_or(filler));
        }
        *word &= there;
    }
    results
}
