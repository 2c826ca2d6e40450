//! Arithmetic.

use super::super::error::Fault;
use super::super::node::{Family, Num};
use super::super::number::{Arith, Number};
use super::super::set::Const;
use super::super::tree::{Expr, Kind, Span};
use super::{Binder, Operand};

impl Binder<'_> {
    /// `left operator right`.
    pub(super) fn arith(&mut self, arith: Arith, sides: &[Expr; 2], span: Span) -> Result<Operand, Fault> {
        let left = self.num(&sides[0], arith.symbol())?;
        let right = self.num(&sides[1], arith.symbol())?;
        if let (Num::Const(left), Num::Const(right)) = (&left, &right) {
            let folded = arith.fold(*left, *right).map_err(|message| Fault::new(span, message))?;
            return Ok(Operand::Const(Const::Number(folded)));
        }
        for (side, expr) in [&left, &right].into_iter().zip(sides) {
            if let Num::Const(Number::Int(value)) = side
                && i64::try_from(*value).is_err()
            {
                return Err(Fault::new(expr.span, format!("{value} does not fit 64 bits")));
            }
            if arith.wants_integers() && side.family() == Family::Float {
                return Err(Fault::new(expr.span, format!("operator {} needs integers", arith.symbol())));
            }
        }
        let right = match (arith, right) {
            (Arith::Div | Arith::Rem, Num::Const(zero)) if zero.to_f64() == 0.0 => {
                return Err(Fault::new(sides[1].span, "division by zero"));
            }
            // An integer has no negative power among the integers.
            (Arith::Pow, Num::Const(Number::Int(exponent))) if exponent < 0 => {
                Num::Const(Number::Float(exponent as f64))
            }
            (_, right) => right,
        };
        Ok(Operand::Number(Num::Arith(arith, Box::new([left, right]))))
    }

    /// `-inner`.
    pub(super) fn negate(&mut self, inner: &Expr) -> Result<Operand, Fault> {
        let num = self.num(inner, "-")?;
        let Num::Const(value) = num else { return Ok(Operand::Number(Num::Negate(Box::new(num)))) };
        Ok(Operand::Const(Const::Number(match value {
            Number::Float(value) => Number::Float(-value),
            Number::Int(value) => {
                let negated = value.checked_neg();
                Number::Int(negated.ok_or_else(|| Fault::new(inner.span, "the result of - overflows"))?)
            }
        })))
    }

    /// `+inner`.
    pub(super) fn plus(&mut self, inner: &Expr) -> Result<Operand, Fault> {
        let num = self.num(inner, "+")?;
        Ok(if let Num::Const(value) = num { Operand::Const(Const::Number(value)) } else { Operand::Number(num) })
    }

    fn num(&mut self, expr: &Expr, symbol: &str) -> Result<Num, Fault> {
        match self.operand(expr)? {
            Operand::Number(num) => Ok(num),
            Operand::Const(Const::Number(value)) => Ok(Num::Const(value)),
            Operand::Json(place) => Ok(Num::Json(place)),
            other @ (Operand::Const(_) | Operand::Text(_) | Operand::Truth(_)) => {
                let found = self.describe(&other);
                let is_comparison = matches!(expr.kind, Kind::Compare(..));
                let hint = if is_comparison { "; comparisons bind more tightly, so put parentheses" } else { "" };
                Err(Fault::new(expr.span, format!("operator {symbol} needs numbers, found {found}{hint}")))
            }
        }
    }
}
