//! Numbers: exact comparison across integers and floats, and arithmetic that never wraps.

use std::cmp::Ordering;

/// A number. Integers are wide so that every constant, key and JSON number compares without loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// An operator between numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    BitAnd,
    BitOr,
    BitXor,
}

impl Order {
    /// The same comparison with its sides exchanged.
    pub(crate) fn flip(self) -> Self {
        match self {
            Self::Eq | Self::Ne => self,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
        }
    }

    /// Whether it only asks for equality.
    pub(crate) fn is_equality(self) -> bool {
        matches!(self, Self::Eq | Self::Ne)
    }

    /// Whether it holds between values so ordered; values without an order (a NaN) differ.
    #[inline]
    pub(crate) fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Eq => ordering == Some(Ordering::Equal),
            Self::Ne => ordering != Some(Ordering::Equal),
            Self::Lt => ordering == Some(Ordering::Less),
            Self::Le => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Gt => ordering == Some(Ordering::Greater),
            Self::Ge => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }

    /// How it is written.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

impl Arith {
    /// How it is written.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
            Self::Pow => "**",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::BitXor => "^",
        }
    }

    /// Whether both sides must be integers.
    pub(crate) fn wants_integers(self) -> bool {
        matches!(self, Self::Rem | Self::BitAnd | Self::BitOr | Self::BitXor)
    }

    /// The result in 64 bits; `None` where there is none: overflow, division by zero, a negative exponent.
    #[inline]
    pub(crate) fn int(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Sub => left.checked_sub(right),
            Self::Mul => left.checked_mul(right),
            Self::Div => left.checked_div(right),
            // Unlike `checked_rem`, least % -1 is 0 here, as it is in mathematics.
            Self::Rem => (right != 0).then(|| left.wrapping_rem(right)),
            Self::Pow => left.checked_pow(u32::try_from(right).ok()?),
            Self::BitAnd => Some(left & right),
            Self::BitOr => Some(left | right),
            Self::BitXor => Some(left ^ right),
        }
    }

    /// The result; `None` where it is not finite, or where the operator wants integers.
    #[inline]
    pub(crate) fn float(self, left: f64, right: f64) -> Option<f64> {
        let result = match self {
            Self::Add => left + right,
            Self::Sub => left - right,
            Self::Mul => left * right,
            Self::Div => left / right,
            Self::Pow => left.powf(right),
            Self::Rem | Self::BitAnd | Self::BitOr | Self::BitXor => return None,
        };
        result.is_finite().then_some(result)
    }

    /// The result for two numbers of any kind, integers within 64 bits.
    pub(crate) fn number(self, left: Number, right: Number) -> Option<Number> {
        match (left, right) {
            (Number::Int(left), Number::Int(right)) => {
                let result = self.int(i64::try_from(left).ok()?, i64::try_from(right).ok()?)?;
                Some(Number::Int(i128::from(result)))
            }
            (Number::Int(_) | Number::Float(_), Number::Int(_) | Number::Float(_)) => {
                self.float(left.to_f64(), right.to_f64()).map(Number::Float)
            }
        }
    }

    /// The result for two constants, integers within 128 bits.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn fold(self, left: Number, right: Number) -> Result<Number, String> {
        let overflow = || format!("the result of {} overflows", self.symbol());
        if matches!(self, Self::Div | Self::Rem) && right.to_f64() == 0.0 {
            return Err("division by zero".to_owned());
        }
        match (left, right) {
            (Number::Int(left), Number::Int(right)) if self != Self::Pow || right >= 0 => {
                let result = match self {
                    Self::Add => left.checked_add(right),
                    Self::Sub => left.checked_sub(right),
                    Self::Mul => left.checked_mul(right),
                    Self::Div => left.checked_div(right),
                    Self::Rem => Some(left.wrapping_rem(right)),
                    Self::Pow => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
                    Self::BitAnd => Some(left & right),
                    Self::BitOr => Some(left | right),
                    Self::BitXor => Some(left ^ right),
                };
                result.map(Number::Int).ok_or_else(overflow)
            }
            (Number::Int(_) | Number::Float(_), Number::Int(_) | Number::Float(_)) => {
                if self.wants_integers() {
                    return Err(format!("operator {} needs integers", self.symbol()));
                }
                self.float(left.to_f64(), right.to_f64()).map(Number::Float).ok_or_else(overflow)
            }
        }
    }
}

impl Number {
    /// The nearest double.
    #[inline]
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// Exact comparison; `None` with a NaN.
    #[inline]
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(&right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(&right),
            (Self::Int(left), Self::Float(right)) => compare_mixed(left, right),
            (Self::Float(left), Self::Int(right)) => compare_mixed(right, left).map(Ordering::reverse),
        }
    }

    /// An integer where the value is one, so that equal numbers are equal keys.
    pub(crate) fn canonical(self) -> Self {
        match self {
            Self::Float(value) if value.trunc() == value && (-I128_END..I128_END).contains(&value) => {
                Self::Int(value as i128)
            }
            Self::Int(_) | Self::Float(_) => self,
        }
    }
}

/// 2^127, the first double past the 128-bit integers.
const I128_END: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

fn compare_mixed(int: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float >= I128_END {
        return Some(Ordering::Less);
    }
    if float < -I128_END {
        return Some(Ordering::Greater);
    }
    // Truncation is exact in 128 bits, so what is left to compare is the fraction.
    let whole = float.trunc();
    Some(int.cmp(&(whole as i128)).then_with(|| whole.total_cmp(&float)))
}

#[cfg(test)]
mod tests;
