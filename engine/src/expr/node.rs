//! The typed tree: fields are column positions, constants are of the type that they are compared with.

use super::like::Like;
use super::number::{Arith, Number, Order};
use super::set::{Const, FloatSet, IntSet, JsonSet};
use super::tree::Step;
use regex::Regex;
use std::collections::HashSet;

/// A test of a row: true, false or unknown.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Const(bool),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// Whether both sides are the same, unknown if either is.
    Same(Box<[Self; 2]>),
    /// Unknown counts as false.
    Certain(Box<Self>),
    /// Whether the row has a value; never unknown.
    Present(usize),
    /// A Bool field.
    Flag(usize),
    /// An integer field from `least` to `greatest`; nothing if they are the wrong way round.
    IntRange {
        field: usize,
        least: i64,
        greatest: i64,
    },
    /// A Float or Double field from `least` to `greatest`; bounds of a Float field are Floats.
    FloatRange {
        field: usize,
        least: f64,
        greatest: f64,
    },
    IntIn {
        field: usize,
        set: IntSet,
    },
    FloatIn {
        field: usize,
        set: FloatSet,
    },
    /// A VarChar field against a constant, bytewise.
    TextOrder {
        field: usize,
        order: Order,
        text: Box<str>,
    },
    TextIn {
        field: usize,
        set: HashSet<Box<str>>,
    },
    TextLike {
        field: usize,
        like: Like,
    },
    TextRegex {
        field: usize,
        regex: Regex,
    },
    /// Two VarChar fields.
    Texts {
        order: Order,
        fields: [usize; 2],
    },
    /// Two numbers that are worked out for each row.
    Numbers {
        order: Order,
        sides: Box<[Num; 2]>,
    },
    /// A test of the value at a place of a JSON field.
    Json {
        place: Place,
        test: JsonTest,
    },
    /// Whether there is a value other than null at that place; never unknown.
    JsonPresent(Place),
}

/// A number of a row.
#[derive(Debug, Clone)]
pub(crate) enum Num {
    Const(Number),
    /// An integer field.
    Int(usize),
    /// A Float or Double field.
    Float(usize),
    /// The number at a place of a JSON field.
    Json(Place),
    /// The length of the array at a place of a JSON field.
    Length(Place),
    Negate(Box<Self>),
    Arith(Arith, Box<[Self; 2]>),
}

/// What numbers an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// 64-bit integers.
    Int,
    /// Doubles.
    Float,
    /// Either, row by row.
    Any,
}

/// A place in the values of a JSON field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) field: usize,
    pub(crate) steps: Vec<Step>,
}

/// A test of a JSON value.
#[derive(Debug, Clone)]
pub(crate) enum JsonTest {
    /// Whether it is `true`.
    Truth,
    /// Whether every comparison holds.
    Compare(Vec<(Order, Const)>),
    In(JsonSet),
    Like(Like),
    Regex(Regex),
    Contains(Const),
    ContainsAll(JsonSet),
    ContainsAny(JsonSet),
}

/// A range in which nothing is.
pub(crate) const NO_INT: (i64, i64) = (1, 0);
/// A range in which nothing is.
pub(crate) const NO_FLOAT: (f64, f64) = (1.0, 0.0);

impl Num {
    /// What numbers it gives.
    pub(crate) fn family(&self) -> Family {
        match self {
            Self::Const(Number::Int(value)) if i64::try_from(*value).is_err() => Family::Any,
            Self::Const(Number::Int(_)) | Self::Int(_) | Self::Length(_) => Family::Int,
            Self::Const(Number::Float(_)) | Self::Float(_) => Family::Float,
            Self::Json(_) => Family::Any,
            Self::Negate(inner) => inner.family(),
            Self::Arith(_, sides) => match (sides[0].family(), sides[1].family()) {
                (Family::Int, Family::Int) => Family::Int,
                (Family::Any, _) | (_, Family::Any) => Family::Any,
                (Family::Float, Family::Int | Family::Float) | (Family::Int, Family::Float) => Family::Float,
            },
        }
    }
}

impl Node {
    /// The conjunction: nested ones opened, constants folded, ranges of one field joined, cheap tests first.
    pub(crate) fn and(parts: Vec<Self>) -> Self {
        let mut flat: Vec<Self> = Vec::with_capacity(parts.len());
        for part in parts {
            if let Self::Const(value) = part {
                if !value {
                    return part;
                }
            } else if let Self::And(inner) = part {
                flat.extend(inner);
            } else {
                flat.push(part);
            }
        }
        let mut joined: Vec<Self> = Vec::with_capacity(flat.len());
        for part in flat {
            if !joined.iter_mut().rev().take(JOIN_DISTANCE).any(|earlier| earlier.join(&part)) {
                joined.push(part);
            }
        }
        if joined.len() > 1 {
            joined.sort_by_key(Self::cost);
            return Self::And(joined);
        }
        joined.pop().unwrap_or(Self::Const(true))
    }

    /// The disjunction: nested ones opened, constants folded, cheap tests first.
    pub(crate) fn or(parts: Vec<Self>) -> Self {
        let mut flat: Vec<Self> = Vec::with_capacity(parts.len());
        for part in parts {
            if let Self::Const(value) = part {
                if value {
                    return part;
                }
            } else if let Self::Or(inner) = part {
                flat.extend(inner);
            } else {
                flat.push(part);
            }
        }
        if flat.len() > 1 {
            flat.sort_by_key(Self::cost);
            return Self::Or(flat);
        }
        flat.pop().unwrap_or(Self::Const(false))
    }

    /// The negation; unknown stays unknown.
    pub(crate) fn not(self) -> Self {
        if let Self::Const(value) = self {
            Self::Const(!value)
        } else if let Self::Not(inner) = self {
            *inner
        } else {
            Self::Not(Box::new(self))
        }
    }

    /// `self`, negated if asked.
    pub(crate) fn not_if(self, negated: bool) -> Self {
        if negated { self.not() } else { self }
    }

    /// Narrows this range by another one of the same field; both are unknown for the same rows.
    fn join(&mut self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::IntRange { field, least, greatest },
                Self::IntRange { field: field2, least: least2, greatest: greatest2 },
            ) if field == field2 => {
                (*least, *greatest) = ((*least).max(*least2), (*greatest).min(*greatest2));
                true
            }
            (
                Self::FloatRange { field, least, greatest },
                Self::FloatRange { field: field2, least: least2, greatest: greatest2 },
            ) if field == field2 => {
                (*least, *greatest) = (least.max(*least2), greatest.min(*greatest2));
                true
            }
            _ => false,
        }
    }

    /// How dear a row is, in no unit.
    fn cost(&self) -> u32 {
        match self {
            Self::Const(_) | Self::Present(_) | Self::Flag(_) => 1,
            Self::IntRange { .. } | Self::FloatRange { .. } => 2,
            Self::IntIn { .. } | Self::FloatIn { .. } => 5,
            Self::Numbers { sides, .. } if sides.iter().all(|side| side.family() != Family::Any) => 10,
            Self::TextOrder { .. } | Self::Texts { .. } | Self::TextIn { .. } => 20,
            Self::TextLike { .. } => 40,
            Self::TextRegex { .. } => 100,
            Self::Json { .. } | Self::JsonPresent(_) | Self::Numbers { .. } => 200,
            Self::Not(inner) | Self::Certain(inner) => inner.cost(),
            Self::Same(sides) => sides[0].cost().saturating_add(sides[1].cost()),
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::cost).fold(1, u32::saturating_add),
        }
    }
}

/// How far back a range looks for an earlier one of its field; a limit keeps long conjunctions linear.
const JOIN_DISTANCE: usize = 16;
