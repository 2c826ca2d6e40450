//! Comparisons and chained ranges: which typed test each pair of operands makes, and the ranges of constants.

use super::super::error::Fault;
use super::super::node::{JsonTest, NO_FLOAT, NO_INT, Node, Num};
use super::super::number::{Number, Order};
use super::super::set::Const;
use super::super::tree::{Chain, Span};
use super::{Binder, Operand};
use elanus_segment::DataType;
use std::cmp::Ordering;

impl Binder<'_> {
    /// `left order right`.
    pub(super) fn compare(&mut self, order: Order, left: Operand, right: Operand, span: Span) -> Result<Node, Fault> {
        use Operand as Op;
        let node = match (left, right) {
            (Op::Const(left), Op::Const(right)) => return fold(order, &left, &right, span),
            (left @ Op::Const(_), right) => return self.compare(order.flip(), right, left, span),
            (Op::Json(place), Op::Const(constant)) => {
                if matches!(constant, Const::Bool(_) | Const::List(_)) && !order.is_equality() {
                    let found = constant.describe();
                    return Err(Fault::new(span, format!("operator {} cannot compare {found}", order.symbol())));
                }
                let wanted = if order == Order::Ne { Order::Eq } else { order };
                let test = JsonTest::Compare(vec![(wanted, constant)]);
                Node::Json { place, test }.not_if(order == Order::Ne)
            }
            (Op::Number(num), Op::Const(Const::Number(value))) => self.number_constant(order, num, value),
            (Op::Text(field), Op::Const(Const::Text(text))) => Node::TextOrder { field, order, text },
            (Op::Truth(node), Op::Const(Const::Bool(value))) if order.is_equality() => {
                node.not_if(value != (order == Order::Eq))
            }
            (Op::Truth(left), Op::Truth(right)) if order.is_equality() => {
                Node::Same(Box::new([left, right])).not_if(order == Order::Ne)
            }
            (Op::Text(left), Op::Text(right)) => Node::Texts { order, fields: [left, right] },
            (Op::Number(left), Op::Number(right)) => numbers(order, left, right),
            (Op::Number(left), Op::Json(right)) => numbers(order, left, Num::Json(right)),
            (Op::Json(left), Op::Number(right)) => numbers(order, Num::Json(left), right),
            (left, right) => {
                let (left, right) = (self.describe(&left), self.describe(&right));
                let symbol = order.symbol();
                return Err(Fault::new(span, format!("operator {symbol} cannot compare {left} with {right}")));
            }
        };
        Ok(node)
    }

    fn number_constant(&self, order: Order, num: Num, value: Number) -> Node {
        let wanted = if order == Order::Ne { Order::Eq } else { order };
        let node = match num {
            Num::Int(field) => {
                let (least, greatest) = int_range(wanted, value);
                Node::IntRange { field, least, greatest }
            }
            Num::Float(field) => {
                let is_single = self.schema.fields[field].data_type == DataType::Float;
                let (least, greatest) =
                    if is_single { single_range(wanted, value) } else { double_range(wanted, value) };
                Node::FloatRange { field, least, greatest }
            }
            num @ (Num::Const(_) | Num::Json(_) | Num::Length(_) | Num::Negate(_) | Num::Arith(..)) => {
                return numbers(order, num, Num::Const(value));
            }
        };
        node.not_if(order == Order::Ne)
    }

    /// `low < middle < high`, rising or falling.
    pub(super) fn chain(&mut self, chain: &Chain, span: Span) -> Result<Node, Fault> {
        let [left, middle, right] = &chain.operands;
        let (left, middle, right) = (self.operand(left)?, self.operand(middle)?, self.operand(right)?);
        if let (Operand::Const(left), Operand::Const(right)) = (&left, &right) {
            let is_rising = matches!(chain.orders[0], Order::Lt | Order::Le);
            let (lower, upper) = if is_rising { (left, right) } else { (right, left) };
            let takes_both = chain.orders.iter().all(|order| matches!(order, Order::Le | Order::Ge));
            let wanted = if takes_both { Order::Le } else { Order::Lt };
            if order_of(lower, upper).is_some_and(|ordering| !wanted.holds(Some(ordering))) {
                return Err(Fault::new(span, "invalid range: lowerbound is greater than upperbound"));
            }
        }
        let first = self.compare(chain.orders[0], left, middle.clone(), span)?;
        let second = self.compare(chain.orders[1], middle, right, span)?;
        Ok(match (first, second) {
            (
                Node::Json { place, test: JsonTest::Compare(mut tests) },
                Node::Json { test: JsonTest::Compare(more), .. },
            ) => {
                tests.extend(more);
                Node::Json { place, test: JsonTest::Compare(tests) }
            }
            (first, second) => Node::and(vec![first, second]),
        })
    }
}

fn numbers(order: Order, left: Num, right: Num) -> Node {
    Node::Numbers { order, sides: Box::new([left, right]) }
}

/// Order of two constants of one type, if they have one.
fn order_of(left: &Const, right: &Const) -> Option<Ordering> {
    match (left, right) {
        (Const::Number(left), Const::Number(right)) => left.compare(*right),
        (Const::Text(left), Const::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn fold(order: Order, left: &Const, right: &Const, span: Span) -> Result<Node, Fault> {
    if let Some(ordering) = order_of(left, right) {
        return Ok(Node::Const(order.holds(Some(ordering))));
    }
    if let (Const::Bool(left), Const::Bool(right)) = (left, right)
        && order.is_equality()
    {
        return Ok(Node::Const((left == right) == (order == Order::Eq)));
    }
    let (left, right) = (left.describe(), right.describe());
    Err(Fault::new(span, format!("operator {} cannot compare {left} with {right}", order.symbol())))
}

/// The 64-bit integers for which `x order value` holds.
pub(super) fn int_range(order: Order, value: Number) -> (i64, i64) {
    // Of a float, the integers at and beside it; casts saturate far outside of 64 bits.
    let (floor, ceil) = match value {
        Number::Int(value) => (value, value),
        Number::Float(value) => (value.floor() as i128, value.ceil() as i128),
    };
    let (least, greatest) = match order {
        Order::Eq | Order::Ne => (ceil, floor),
        Order::Lt => (i128::MIN, ceil.saturating_sub(1)),
        Order::Le => (i128::MIN, floor),
        Order::Gt => (floor.saturating_add(1), i128::MAX),
        Order::Ge => (ceil, i128::MAX),
    };
    let (least, greatest) = (least.max(i128::from(i64::MIN)), greatest.min(i128::from(i64::MAX)));
    match (i64::try_from(least), i64::try_from(greatest)) {
        (Ok(least), Ok(greatest)) if least <= greatest => (least, greatest),
        _ => NO_INT,
    }
}

/// The doubles for which `x order value` holds, exactly.
pub(super) fn double_range(order: Order, value: Number) -> (f64, f64) {
    let nearest = value.to_f64();
    let order = match (Number::Float(nearest).compare(value), order) {
        (Some(Ordering::Equal) | None, order) => order,
        // The value lies between `nearest` and a neighbour of it, so `nearest` is in or out as a whole.
        (Some(_), Order::Eq | Order::Ne) => return NO_FLOAT,
        (Some(Ordering::Greater), Order::Lt | Order::Le) => Order::Lt,
        (Some(Ordering::Greater), Order::Gt | Order::Ge) => Order::Ge,
        (Some(Ordering::Less), Order::Lt | Order::Le) => Order::Le,
        (Some(Ordering::Less), Order::Gt | Order::Ge) => Order::Gt,
    };
    match order {
        Order::Eq | Order::Ne => (nearest, nearest),
        Order::Lt if nearest == f64::NEG_INFINITY => NO_FLOAT,
        Order::Lt => (f64::NEG_INFINITY, nearest.next_down()),
        Order::Le => (f64::NEG_INFINITY, nearest),
        Order::Gt if nearest == f64::INFINITY => NO_FLOAT,
        Order::Gt => (nearest.next_up(), f64::INFINITY),
        Order::Ge => (nearest, f64::INFINITY),
    }
}

/// The floats for which `x order value` holds once the value is rounded to a float, as the stored values were.
pub(super) fn single_range(order: Order, value: Number) -> (f64, f64) {
    let nearest = to_single(value);
    let (least, greatest) = match order {
        Order::Eq | Order::Ne => (nearest, nearest),
        Order::Lt if nearest == f32::NEG_INFINITY => return NO_FLOAT,
        Order::Lt => (f32::NEG_INFINITY, nearest.next_down()),
        Order::Le => (f32::NEG_INFINITY, nearest),
        Order::Gt if nearest == f32::INFINITY => return NO_FLOAT,
        Order::Gt => (nearest.next_up(), f32::INFINITY),
        Order::Ge => (nearest, f32::INFINITY),
    };
    (f64::from(least), f64::from(greatest))
}

/// The nearest float.
pub(super) fn to_single(value: Number) -> f32 {
    match value {
        Number::Int(value) => value as f32,
        Number::Float(value) => value as f32,
    }
}

#[cfg(test)]
mod tests;
