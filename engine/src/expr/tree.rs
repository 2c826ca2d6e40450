//! The untyped tree that the parser makes: what was written and where.

use super::error::Fault;
use super::function::Function;
use super::number::{Arith, Order};

/// Deepest nesting of an expression, of parentheses and of lists.
pub(crate) const DEPTH_MAX: usize = 256;

/// Bytes `start..end` of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// From the start of one to the end of the other.
    pub(crate) fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end }
    }
}

/// One expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    depth: u16,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Box<str>),
    List(Vec<Expr>),
    Template(Box<str>),
    Path(Box<Path>),
    Negate(Box<Expr>),
    Plus(Box<Expr>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Arith(Arith, Box<[Expr; 2]>),
    Compare(Order, Box<[Expr; 2]>),
    Chain(Box<Chain>),
    In(Box<Infix>),
    Like(Box<Infix>),
    Regex(Box<Infix>),
    IsNull(Box<Expr>, bool),
    Exists(Box<Expr>),
    Call(Box<Call>),
}

/// A field, or a place in the JSON of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) name: Box<str>,
    pub(crate) steps: Vec<Step>,
}

/// One step into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(Box<str>),
    At(usize),
}

/// `low first middle second high`, both orders pointing the same way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chain {
    pub(crate) operands: [Expr; 3],
    pub(crate) orders: [Order; 2],
}

/// A test with a value on its left and a constant on its right, perhaps negated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Infix {
    pub(crate) value: Expr,
    pub(crate) constant: Expr,
    pub(crate) negated: bool,
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) function: Function,
    /// As it was written.
    pub(crate) name: Box<str>,
    pub(crate) args: Vec<Expr>,
}

impl Expr {
    /// An expression one level deeper than the deepest of its parts.
    ///
    /// # Errors
    /// If that is deeper than `DEPTH_MAX`: every walk over the tree recurses.
    pub(crate) fn new(kind: Kind, span: Span) -> Result<Self, Fault> {
        let depth = 1 + kind.parts_depth();
        if usize::from(depth) > DEPTH_MAX {
            return Err(too_deep(span));
        }
        Ok(Self { kind, span, depth })
    }

    /// `self and right`, as one more part if this already is such a list: long ones may not nest.
    pub(crate) fn and(self, right: Self) -> Result<Self, Fault> {
        match self {
            Self { kind: Kind::And(parts), span, depth } => Self::longer(parts, right, Kind::And, span, depth),
            left => Self::pair(left, right, Kind::And),
        }
    }

    /// `self or right`, as one more part if this already is such a list.
    pub(crate) fn or(self, right: Self) -> Result<Self, Fault> {
        match self {
            Self { kind: Kind::Or(parts), span, depth } => Self::longer(parts, right, Kind::Or, span, depth),
            left => Self::pair(left, right, Kind::Or),
        }
    }

    fn pair(left: Self, right: Self, make: fn(Vec<Self>) -> Kind) -> Result<Self, Fault> {
        let span = left.span.to(right.span);
        Self::new(make(vec![left, right]), span)
    }

    /// Depth is carried along, as counting it anew for each part would make long lists quadratic.
    fn longer(
        mut parts: Vec<Self>,
        right: Self,
        make: fn(Vec<Self>) -> Kind,
        span: Span,
        depth: u16,
    ) -> Result<Self, Fault> {
        let depth = depth.max(right.depth + 1);
        let span = span.to(right.span);
        if usize::from(depth) > DEPTH_MAX {
            return Err(too_deep(span));
        }
        parts.push(right);
        Ok(Self { kind: make(parts), span, depth })
    }
}

/// What every walk over the tree relies on not to happen.
pub(crate) fn too_deep(span: Span) -> Fault {
    Fault::new(span, format!("the expression nests deeper than {DEPTH_MAX} levels"))
}

impl Kind {
    fn parts_depth(&self) -> u16 {
        let deepest = |parts: &[Expr]| parts.iter().map(|part| part.depth).max().unwrap_or(0);
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::Template(_) | Self::Path(_) => 0,
            Self::Negate(part) | Self::Plus(part) | Self::Not(part) | Self::IsNull(part, _) | Self::Exists(part) => {
                part.depth
            }
            Self::List(parts) | Self::And(parts) | Self::Or(parts) => deepest(parts),
            Self::Arith(_, parts) | Self::Compare(_, parts) => deepest(&parts[..]),
            Self::Chain(chain) => deepest(&chain.operands),
            Self::In(test) | Self::Like(test) | Self::Regex(test) => test.value.depth.max(test.constant.depth),
            Self::Call(call) => deepest(&call.args),
        }
    }
}
