//! The parser: operator precedence over the tokens.
//!
//! Powers follow the order of alternatives in Milvus's grammar, with one leniency: `not` takes a whole comparison, so
//! that `not color == "green"` means what it says.

mod primary;

use super::error::Fault;
use super::lex::{Input, Token, token};
use super::number::{Arith, Order};
use super::tree::{Chain, DEPTH_MAX, Expr, Infix, Kind, Span, too_deep};

/// Binding powers, loosest first.
mod power {
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const BIT_OR: u8 = 3;
    pub(super) const BIT_XOR: u8 = 4;
    pub(super) const BIT_AND: u8 = 5;
    pub(super) const EQUALITY: u8 = 6;
    pub(super) const RELATION: u8 = 7;
    pub(super) const CHAIN: u8 = 8;
    pub(super) const IN: u8 = 9;
    pub(super) const SUM: u8 = 10;
    pub(super) const PRODUCT: u8 = 11;
    pub(super) const SIGN: u8 = 12;
    pub(super) const POWER: u8 = 13;
    pub(super) const REGEX: u8 = 14;
    pub(super) const LIKE: u8 = 15;
    pub(super) const EXISTS: u8 = 16;
}

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Or,
    And,
    Arith(Arith),
    Equality(Order),
    Relation(Order),
    In,
    NotIn,
    Like,
    Regex { negated: bool },
    Refused,
}

/// Parses a whole text.
pub(crate) fn parse(text: &str) -> Result<Expr, Fault> {
    let mut parser = Parser { input: Input::new(text), token: Token::End, span: Span::default(), level: 0 };
    parser.advance()?;
    let expr = parser.expression(power::OR)?;
    if parser.token == Token::End {
        return Ok(expr);
    }
    if parser.is_symbol("=") {
        return Err(parser.fault("expected an operator, found `=`; equality is written =="));
    }
    Err(parser.fault(format!("expected an operator or the end, found {}", parser.token.describe())))
}

struct Parser<'a> {
    input: Input<'a>,
    /// The token to be read next.
    token: Token<'a>,
    span: Span,
    /// Calls of `expression` that are open.
    level: usize,
}

impl<'a> Parser<'a> {
    fn fault(&self, message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
        Fault::new(self.span, message)
    }

    /// Moves on, and hands out the token that was next.
    fn advance(&mut self) -> Result<(Token<'a>, Span), Fault> {
        let (token, span) = token(&mut self.input)?;
        Ok((std::mem::replace(&mut self.token, token), std::mem::replace(&mut self.span, span)))
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(&self.token, Token::Symbol(found) if *found == symbol)
    }

    /// Whether the next token is that keyword: all in lower or all in upper case.
    fn is_word(&self, lower: &str, upper: &str) -> bool {
        matches!(&self.token, Token::Word(found) if *found == lower || *found == upper)
    }

    fn expect(&mut self, symbol: &'static str, what: &str) -> Result<Span, Fault> {
        if self.is_symbol(symbol) {
            return Ok(self.advance()?.1);
        }
        Err(self.fault(format!("expected `{symbol}` {what}, found {}", self.token.describe())))
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn expression(&mut self, least: u8) -> Result<Expr, Fault> {
        self.level += 1;
        if self.level > DEPTH_MAX {
            return Err(too_deep(self.span));
        }
        let mut left = self.prefix()?;
        while let Some((operator, power)) = self.operator()? {
            if power < least {
                break;
            }
            left = self.infix(left, operator, power)?;
        }
        self.level -= 1;
        Ok(left)
    }

    /// The operator that comes next, if one does.
    fn operator(&self) -> Result<Option<(Operator, u8)>, Fault> {
        use Operator as Op;
        let spelled = match &self.token {
            Token::Word(word) => *word,
            Token::Symbol(symbol) => symbol,
            Token::Int(_) | Token::Float(_) | Token::Text(_) | Token::End => return Ok(None),
        };
        Ok(Some(match spelled {
            "or" | "OR" | "||" => (Op::Or, power::OR),
            "and" | "AND" | "&&" => (Op::And, power::AND),
            "|" => (Op::Arith(Arith::BitOr), power::BIT_OR),
            "^" => (Op::Arith(Arith::BitXor), power::BIT_XOR),
            "&" => (Op::Arith(Arith::BitAnd), power::BIT_AND),
            "==" => (Op::Equality(Order::Eq), power::EQUALITY),
            "!=" => (Op::Equality(Order::Ne), power::EQUALITY),
            "<" => (Op::Relation(Order::Lt), power::RELATION),
            "<=" => (Op::Relation(Order::Le), power::RELATION),
            ">" => (Op::Relation(Order::Gt), power::RELATION),
            ">=" => (Op::Relation(Order::Ge), power::RELATION),
            "in" | "IN" => (Op::In, power::IN),
            "not" | "NOT" => (Op::NotIn, power::IN),
            "+" => (Op::Arith(Arith::Add), power::SUM),
            "-" => (Op::Arith(Arith::Sub), power::SUM),
            "*" => (Op::Arith(Arith::Mul), power::PRODUCT),
            "/" => (Op::Arith(Arith::Div), power::PRODUCT),
            "%" => (Op::Arith(Arith::Rem), power::PRODUCT),
            "**" => (Op::Arith(Arith::Pow), power::POWER),
            "=~" => (Op::Regex { negated: false }, power::REGEX),
            "!~" => (Op::Regex { negated: true }, power::REGEX),
            "like" | "LIKE" => (Op::Like, power::LIKE),
            // They bind between `in` and sums, but as they are refused, the place makes no difference.
            "<<" | ">>" => (Op::Refused, u8::MAX),
            _ => return Ok(None),
        }))
    }

    /// What `left operator ...` makes; the operator is the next token.
    fn infix(&mut self, left: Expr, operator: Operator, power: u8) -> Result<Expr, Fault> {
        if operator == Operator::Refused {
            return Err(self.fault(format!("operator {} is not supported", self.token.describe())));
        }
        let (_, place) = self.advance()?;
        if operator == Operator::NotIn {
            if !self.is_word("in", "IN") {
                return Err(self.fault(format!("expected `in` after `not`, found {}", self.token.describe())));
            }
            self.advance()?;
        }
        let right = self.expression(power + 1)?;
        let span = left.span.to(right.span);
        let kind = match operator {
            Operator::Or => return left.or(right),
            Operator::And => return left.and(right),
            Operator::Arith(arith) => Kind::Arith(arith, Box::new([left, right])),
            Operator::Equality(order) => Kind::Compare(order, Box::new([left, right])),
            Operator::Relation(order) => return self.relation(left, order, right),
            Operator::In | Operator::NotIn => {
                Kind::In(Box::new(Infix { value: left, constant: right, negated: operator == Operator::NotIn }))
            }
            Operator::Like => Kind::Like(Box::new(Infix { value: left, constant: right, negated: false })),
            Operator::Regex { negated } => Kind::Regex(Box::new(Infix { value: left, constant: right, negated })),
            Operator::Refused => return Err(Fault::new(place, "this operator is not supported")),
        };
        Expr::new(kind, span)
    }

    /// A comparison, or a chained range if another one follows.
    fn relation(&mut self, left: Expr, first: Order, middle: Expr) -> Result<Expr, Fault> {
        let span = left.span.to(middle.span);
        let Some((Operator::Relation(second), _)) = self.operator()? else {
            return Expr::new(Kind::Compare(first, Box::new([left, middle])), span);
        };
        let is_rising = |order| matches!(order, Order::Lt | Order::Le);
        if is_rising(first) != is_rising(second) {
            return Err(self.fault("the comparisons of a chained range point in different directions"));
        }
        self.advance()?;
        let right = self.expression(power::CHAIN)?;
        if let Some((Operator::Relation(_), _)) = self.operator()? {
            return Err(self.fault("a chained range has two comparisons"));
        }
        let span = span.to(right.span);
        Expr::new(Kind::Chain(Box::new(Chain { operands: [left, middle, right], orders: [first, second] })), span)
    }
}

#[cfg(test)]
mod tests;
