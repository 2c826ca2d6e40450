//! Sets of constants, as lists become: membership in constant time.

use super::json::{Elements, Json, Offset};
use super::number::Number;
use std::collections::{HashMap, HashSet};

/// Up to so many integers are compared one by one.
const SCAN_MAX: usize = 8;
/// A bit set is made where it has at most so many bits for each integer.
const BITS_PER_VALUE_MAX: i128 = 256;

/// Integers, sorted and without repetition.
#[derive(Debug, Clone)]
pub(crate) struct IntSet {
    values: Vec<i64>,
    lookup: Lookup,
}

#[derive(Debug, Clone)]
enum Lookup {
    Scan,
    Bits { first: i64, words: Vec<u64> },
    Hash(HashSet<i64>),
}

impl FromIterator<i64> for IntSet {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> Self {
        let mut values: Vec<i64> = values.into_iter().collect();
        values.sort_unstable();
        values.dedup();
        let lookup = match (values.first(), values.last()) {
            (Some(&first), Some(&last)) if values.len() > SCAN_MAX => {
                let width = i128::from(last) - i128::from(first) + 1;
                if width <= BITS_PER_VALUE_MAX * values.len() as i128 {
                    bits(&values, first, width as usize)
                } else {
                    Lookup::Hash(values.iter().copied().collect())
                }
            }
            (Some(_) | None, Some(_) | None) => Lookup::Scan,
        };
        Self { values, lookup }
    }
}

fn bits(values: &[i64], first: i64, width: usize) -> Lookup {
    let mut words = vec![0_u64; width.div_ceil(64)];
    for &value in values {
        let bit = value.wrapping_sub(first) as usize;
        words[bit / 64] |= 1 << (bit % 64);
    }
    Lookup::Bits { first, words }
}

impl IntSet {
    /// The integers, ascending.
    pub(crate) fn values(&self) -> &[i64] {
        &self.values
    }

    #[inline]
    pub(crate) fn contains(&self, value: i64) -> bool {
        match &self.lookup {
            Lookup::Scan => self.values.iter().fold(false, |found, &other| found | (other == value)),
            Lookup::Bits { first, words } => {
                let bit = value.wrapping_sub(*first) as u64;
                value >= *first && words.get((bit / 64) as usize).is_some_and(|word| word >> (bit % 64) & 1 == 1)
            }
            Lookup::Hash(set) => set.contains(&value),
        }
    }
}

/// Doubles by value: both zeros are one, and no NaN is ever found.
#[derive(Debug, Clone)]
pub(crate) struct FloatSet(HashSet<u64>);

impl FromIterator<f64> for FloatSet {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().map(|value| (value + 0.0).to_bits()).collect())
    }
}

impl FloatSet {
    #[inline]
    pub(crate) fn contains(&self, value: f64) -> bool {
        // Adding zero turns -0 into 0.
        self.0.contains(&(value + 0.0).to_bits())
    }
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Const {
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Self>),
}

impl Const {
    /// How its type is called in a message.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a Boolean",
            Self::Number(Number::Int(_)) => "an integer",
            Self::Number(Number::Float(_)) => "a floating-point number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
        }
    }

    /// Whether a JSON value is this one, numbers by value; `None` if it is of another type.
    pub(crate) fn equals(&self, value: &Json<'_>) -> Result<Option<bool>, Offset> {
        Ok(match (self, value) {
            (Self::Bool(mine), Json::Bool(theirs)) => Some(mine == theirs),
            (Self::Number(mine), Json::Number(theirs)) => {
                Some(mine.compare(*theirs).is_some_and(|order| order.is_eq()))
            }
            (Self::Text(mine), Json::Text(theirs)) => Some(**mine == **theirs),
            (Self::List(mine), Json::Array(array)) => {
                let mut theirs = Elements::new(array);
                for mine in mine {
                    let Some(theirs) = theirs.next().transpose()? else { return Ok(Some(false)) };
                    if mine.equals(&theirs)? != Some(true) {
                        return Ok(Some(false));
                    }
                }
                Some(theirs.next().is_none())
            }
            (
                Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::Array(_) | Json::Object,
            ) => None,
        })
    }
}

/// Constants of any type, to be found among JSON values.
#[derive(Debug, Clone, Default)]
pub(crate) struct JsonSet {
    bools: [Option<usize>; 2],
    numbers: HashMap<NumberKey, usize>,
    texts: HashMap<Box<str>, usize>,
    lists: Vec<(Const, usize)>,
    len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum NumberKey {
    Int(i128),
    Float(u64),
}

impl NumberKey {
    fn new(number: Number) -> Self {
        match number.canonical() {
            Number::Int(value) => Self::Int(value),
            Number::Float(value) => Self::Float(value.to_bits()),
        }
    }
}

impl FromIterator<Const> for JsonSet {
    fn from_iter<I: IntoIterator<Item = Const>>(constants: I) -> Self {
        let mut set = Self::default();
        for constant in constants {
            let next = set.len;
            let place = match constant {
                Const::Bool(value) => *set.bools[usize::from(value)].get_or_insert(next),
                Const::Number(value) => *set.numbers.entry(NumberKey::new(value)).or_insert(next),
                Const::Text(value) => *set.texts.entry(value).or_insert(next),
                Const::List(_) => {
                    set.lists.push((constant, next));
                    next
                }
            };
            set.len += usize::from(place == next);
        }
        set
    }
}

impl JsonSet {
    /// Different constants; lists count each.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether some constant equals the value.
    pub(crate) fn contains(&self, value: &Json<'_>) -> Result<bool, Offset> {
        let mut found = false;
        self.each(value, |_| found = true)?;
        Ok(found)
    }

    /// Calls back with the number of each constant that equals the value; several lists may.
    pub(crate) fn each(&self, value: &Json<'_>, mut found: impl FnMut(usize)) -> Result<(), Offset> {
        let number = match value {
            Json::Bool(value) => self.bools[usize::from(*value)],
            Json::Number(value) => self.numbers.get(&NumberKey::new(*value)).copied(),
            Json::Text(value) => self.texts.get(&**value).copied(),
            Json::Array(_) => {
                for (list, number) in &self.lists {
                    if list.equals(value)? == Some(true) {
                        found(*number);
                    }
                }
                None
            }
            Json::Null | Json::Object => None,
        };
        number.into_iter().for_each(found);
        Ok(())
    }

    /// Whether some constant has the type of the value, so that comparing them says something.
    pub(crate) fn has_type_of(&self, value: &Json<'_>) -> bool {
        match value {
            Json::Bool(_) => self.bools.iter().any(Option::is_some),
            Json::Number(_) => !self.numbers.is_empty(),
            Json::Text(_) => !self.texts.is_empty(),
            Json::Array(_) => !self.lists.is_empty(),
            Json::Null | Json::Object => false,
        }
    }
}

#[cfg(test)]
mod tests;
