//! The plain reading: one row at a time, one value at a time, straight from the untyped tree.

use super::table::Cell;
use crate::expr::function::Function;
use crate::expr::number::{Arith, Order};
use crate::expr::parse::parse;
use crate::expr::tree::{Expr, Infix, Kind, Path, Step};
use elanus_segment::{DataType, Schema};
use regex::Regex;
use serde_json::Value as JsonValue;
use std::cmp::Ordering;

/// A value, of a row or constant.
#[derive(Debug, Clone, PartialEq)]
enum Val {
    Unknown,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    /// An object, which equals nothing.
    Object,
}

/// Rows for which a text, which must compile, is true.
pub(super) fn rows(text: &str, schema: &Schema, rows: &[Vec<Cell>]) -> Vec<usize> {
    let tree = parse(text).expect("the text parses");
    let is_true = |row: &Vec<Cell>| Row { schema, cells: row }.truth(&tree) == Some(true);
    (0..rows.len()).filter(|&at| is_true(&rows[at])).collect()
}

struct Row<'a> {
    schema: &'a Schema,
    cells: &'a [Cell],
}

fn is_const(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::Template(_) => true,
        Kind::Path(_) | Kind::IsNull(..) | Kind::Exists(_) | Kind::Call(_) => false,
        Kind::List(parts) | Kind::And(parts) | Kind::Or(parts) => parts.iter().all(is_const),
        Kind::Negate(part) | Kind::Plus(part) | Kind::Not(part) => is_const(part),
        Kind::Arith(_, parts) | Kind::Compare(_, parts) => parts.iter().all(is_const),
        Kind::Chain(chain) => chain.operands.iter().all(is_const),
        Kind::In(test) | Kind::Like(test) | Kind::Regex(test) => is_const(&test.value) && is_const(&test.constant),
    }
}

fn from_json(value: &JsonValue) -> Val {
    match value {
        JsonValue::Null => Val::Unknown,
        JsonValue::Bool(value) => Val::Bool(*value),
        JsonValue::Number(number) => match (number.as_i128(), number.as_f64()) {
            (Some(value), _) => Val::Int(value),
            (None, Some(value)) => Val::Float(value),
            (None, None) => panic!("{number} is neither"),
        },
        JsonValue::String(text) => Val::Text(text.clone()),
        JsonValue::Array(values) => Val::List(values.iter().map(from_json).collect()),
        JsonValue::Object(_) => Val::Object,
    }
}

/// Compares through decimal digits, which loses nothing and shares nothing with the code under test.
fn order_of(left: &Val, right: &Val) -> Option<Ordering> {
    match (left, right) {
        (Val::Int(left), Val::Int(right)) => Some(left.cmp(right)),
        (Val::Float(left), Val::Float(right)) => left.partial_cmp(right),
        (Val::Int(left), Val::Float(right)) => {
            // From 2^53 on there are no fractions, and digits without them are printed exactly.
            let is_large = right.abs() >= 9_007_199_254_740_992.0;
            let digits = if is_large { format!("{right:.0}") } else { right.to_string() };
            let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
            let has_fraction = !fraction.is_empty();
            let Ok(whole) = whole.parse::<i128>() else {
                return Some(if *right < 0.0 { Ordering::Greater } else { Ordering::Less });
            };
            let beside = match (has_fraction, *right < 0.0) {
                (false, _) => Ordering::Equal,
                (true, true) => Ordering::Greater,
                (true, false) => Ordering::Less,
            };
            Some(left.cmp(&whole).then(beside))
        }
        (Val::Float(_), Val::Int(_)) => order_of(right, left).map(Ordering::reverse),
        (Val::Text(left), Val::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        _ => None,
    }
}

/// Deep equality; `None` across types.
fn equals(left: &Val, right: &Val) -> Option<bool> {
    match (left, right) {
        (Val::Bool(left), Val::Bool(right)) => Some(left == right),
        (Val::Int(_) | Val::Float(_), Val::Int(_) | Val::Float(_)) | (Val::Text(_), Val::Text(_)) => {
            Some(order_of(left, right) == Some(Ordering::Equal))
        }
        (Val::List(left), Val::List(right)) => {
            let pairs = left.iter().zip(right);
            Some(left.len() == right.len() && pairs.into_iter().all(|(left, right)| equals(left, right) == Some(true)))
        }
        _ => None,
    }
}

fn compare(order: Order, left: &Val, right: &Val) -> Option<bool> {
    let are_numbers = |value: &Val| matches!(value, Val::Int(_) | Val::Float(_));
    match order {
        Order::Eq => equals(left, right),
        Order::Ne => equals(left, right).map(|equal| !equal),
        Order::Lt | Order::Le | Order::Gt | Order::Ge => {
            let ordering = order_of(left, right);
            if ordering.is_none() && !(are_numbers(left) && are_numbers(right)) {
                return None;
            }
            Some(match order {
                Order::Lt => ordering == Some(Ordering::Less),
                Order::Gt => ordering == Some(Ordering::Greater),
                Order::Le => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
                Order::Ge | Order::Eq | Order::Ne => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
            })
        }
    }
}

fn and(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let parts: Vec<_> = parts.into_iter().collect();
    if parts.contains(&Some(false)) {
        return Some(false);
    }
    if parts.contains(&None) { None } else { Some(true) }
}

fn arith(arith: Arith, left: &Val, right: &Val, is_const: bool, as_floats: bool) -> Val {
    let wide = |value: Option<i128>| match value {
        Some(value) if is_const || i64::try_from(value).is_ok() => Val::Int(value),
        Some(_) | None => Val::Unknown,
    };
    let as_float = |value: &Val| match value {
        Val::Int(value) => *value as f64,
        Val::Float(value) => *value,
        Val::Unknown | Val::Bool(_) | Val::Text(_) | Val::List(_) | Val::Object => f64::NAN,
    };
    if let (Val::Int(a), Val::Int(b), false) = (left, right, as_floats) {
        if !is_const && (i64::try_from(*a).is_err() || i64::try_from(*b).is_err()) {
            return Val::Unknown;
        }
        return wide(match arith {
            Arith::Add => Some(a + b),
            Arith::Sub => Some(a - b),
            Arith::Mul => a.checked_mul(*b),
            Arith::Div => a.checked_div(*b),
            Arith::Rem => a.checked_rem(*b),
            Arith::Pow => u32::try_from(*b).ok().and_then(|b| a.checked_pow(b)),
            Arith::BitAnd => Some(a & b),
            Arith::BitOr => Some(a | b),
            Arith::BitXor => Some(a ^ b),
        });
    }
    let (a, b) = (as_float(left), as_float(right));
    let result = match arith {
        Arith::Add => a + b,
        Arith::Sub => a - b,
        Arith::Mul => a * b,
        Arith::Div => a / b,
        Arith::Pow => a.powf(b),
        Arith::Rem | Arith::BitAnd | Arith::BitOr | Arith::BitXor => f64::NAN,
    };
    if result.is_finite() { Val::Float(result) } else { Val::Unknown }
}

impl Row<'_> {
    fn truth(&self, expr: &Expr) -> Option<bool> {
        match self.value(expr) {
            Val::Bool(value) => Some(value),
            Val::Unknown | Val::Int(_) | Val::Float(_) | Val::Text(_) | Val::List(_) | Val::Object => None,
        }
    }

    /// Position of the field of a path, and the steps into its JSON.
    fn resolve(&self, path: &Path) -> (usize, Vec<Step>) {
        match self.schema.position(&path.name) {
            Some(position) => (position, path.steps.clone()),
            None => {
                let dynamic = self.schema.dynamic_position().expect("the text compiled");
                (dynamic, [Step::Key(path.name.clone())].into_iter().chain(path.steps.clone()).collect())
            }
        }
    }

    fn data_type(&self, expr: &Expr) -> Option<DataType> {
        let Kind::Path(path) = &expr.kind else { return None };
        Some(self.schema.fields[self.resolve(path).0].data_type)
    }

    fn path(&self, path: &Path) -> Val {
        let (position, steps) = self.resolve(path);
        let cell = &self.cells[position];
        match (cell, self.schema.fields[position].data_type) {
            (Cell::Null, _) => Val::Unknown,
            (Cell::Bool(value), _) => Val::Bool(*value),
            (Cell::Int(value), _) => Val::Int(i128::from(*value)),
            (Cell::Float(value), DataType::Float) => Val::Float(f64::from(*value as f32)),
            (Cell::Float(value), _) => Val::Float(*value),
            (Cell::Text(text), DataType::Json) => {
                let value: JsonValue = serde_json::from_str(text).expect("the cell is JSON");
                let place = steps.iter().try_fold(&value, |value, step| match step {
                    Step::Key(key) => value.as_object()?.get(&**key),
                    Step::At(at) => value.as_array()?.get(*at),
                });
                place.map_or(Val::Unknown, from_json)
            }
            (Cell::Text(text), _) => Val::Text(text.clone()),
        }
    }

    fn value(&self, expr: &Expr) -> Val {
        let truth = |value: Option<bool>| value.map_or(Val::Unknown, Val::Bool);
        match &expr.kind {
            Kind::Bool(value) => Val::Bool(*value),
            Kind::Int(value) => Val::Int(*value),
            Kind::Float(value) => Val::Float(*value),
            Kind::Text(text) => Val::Text(text.to_string()),
            Kind::List(parts) => Val::List(parts.iter().map(|part| self.value(part)).collect()),
            Kind::Template(name) => panic!("template {name}"),
            Kind::Path(path) => self.path(path),
            Kind::Plus(part) => self.number(part),
            Kind::Negate(part) => arith(Arith::Sub, &Val::Int(0), &self.number(part), is_const(part), false),
            Kind::Not(part) => truth(self.truth(part).map(|value| !value)),
            Kind::And(parts) => truth(and(parts.iter().map(|part| self.truth(part)))),
            Kind::Or(parts) => {
                truth(and(parts.iter().map(|part| self.truth(part).map(|value| !value))).map(|value| !value))
            }
            Kind::Arith(op, sides) => {
                let (left, right) = (self.number(&sides[0]), self.number(&sides[1]));
                if left == Val::Unknown || right == Val::Unknown {
                    return Val::Unknown;
                }
                // A constant negative exponent makes the power a float.
                let as_floats = *op == Arith::Pow && is_const(&sides[1]) && matches!(right, Val::Int(..0));
                arith(*op, &left, &right, is_const(expr), as_floats)
            }
            Kind::Compare(order, sides) => truth(self.compare(*order, &sides[0], &sides[1])),
            Kind::Chain(chain) => {
                let [low, middle, high] = &chain.operands;
                let [first, second] = chain.orders;
                truth(and([self.compare(first, low, middle), self.compare(second, middle, high)]))
            }
            Kind::In(test) => truth(self.membership(test).map(|found| found != test.negated)),
            Kind::Like(test) => truth(self.matches(test, true)),
            Kind::Regex(test) => {
                let found = self.matches(test, false);
                if test.negated && self.data_type(&test.value) == Some(DataType::Json) {
                    return Val::Bool(found != Some(true));
                }
                truth(found.map(|found| found != test.negated))
            }
            Kind::IsNull(part, negated) => Val::Bool((self.value(part) == Val::Unknown) != *negated),
            Kind::Exists(part) => Val::Bool(self.value(part) != Val::Unknown),
            Kind::Call(call) => self.call(call.function, &call.args),
        }
    }

    /// A value where only numbers count.
    fn number(&self, expr: &Expr) -> Val {
        match self.value(expr) {
            value @ (Val::Int(_) | Val::Float(_)) => value,
            Val::Unknown | Val::Bool(_) | Val::Text(_) | Val::List(_) | Val::Object => Val::Unknown,
        }
    }

    /// Constants are rounded beside a Float field.
    fn rounded(&self, expr: &Expr, other: &Expr) -> Val {
        let value = self.value(expr);
        if !is_const(expr) || self.data_type(other) != Some(DataType::Float) {
            return value;
        }
        if let Val::Int(value) = value {
            return Val::Float(f64::from(value as f32));
        }
        if let Val::Float(value) = value { Val::Float(f64::from(value as f32)) } else { value }
    }

    fn compare(&self, order: Order, left: &Expr, right: &Expr) -> Option<bool> {
        compare(order, &self.rounded(left, right), &self.rounded(right, left))
    }

    fn membership(&self, test: &Infix) -> Option<bool> {
        let Kind::List(elements) = &test.constant.kind else { panic!("the list is written out") };
        let value = self.value(&test.value);
        let is_json = self.data_type(&test.value) == Some(DataType::Json);
        let found: Vec<Option<bool>> =
            elements.iter().map(|element| equals(&value, &self.rounded(element, &test.value))).collect();
        if value == Val::Unknown || (is_json && found.iter().all(Option::is_none)) {
            return None;
        }
        Some(found.contains(&Some(true)))
    }

    fn matches(&self, test: &Infix, is_like: bool) -> Option<bool> {
        let (Val::Text(text), Val::Text(pattern)) = (self.value(&test.value), self.value(&test.constant)) else {
            return None;
        };
        if !is_like {
            return Some(Regex::new(&pattern).expect("the text compiled").is_match(&text));
        }
        let mut source = String::from("(?s)^(?:");
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => source.push_str(".*"),
                '_' => source.push('.'),
                '\\' => source.push_str(&regex::escape(&chars.next().expect("the text compiled").to_string())),
                _ => source.push_str(&regex::escape(&c.to_string())),
            }
        }
        Some(Regex::new(&(source + ")$")).expect("it is a pattern").is_match(&text))
    }

    fn call(&self, function: Function, args: &[Expr]) -> Val {
        let elements = match self.value(&args[0]) {
            Val::List(elements) => elements,
            Val::Unknown => return Val::Unknown,
            Val::Bool(_) | Val::Int(_) | Val::Float(_) | Val::Text(_) | Val::Object => {
                return if function == Function::Length { Val::Unknown } else { Val::Bool(false) };
            }
        };
        let holds = |wanted: &Val| elements.iter().any(|element| equals(element, wanted) == Some(true));
        let wanted = || {
            let Val::List(wanted) = self.value(&args[1]) else { panic!("the second argument is a list") };
            wanted
        };
        match function {
            Function::Length => Val::Int(elements.len() as i128),
            Function::Contains => Val::Bool(holds(&self.value(&args[1]))),
            Function::ContainsAll => Val::Bool(wanted().iter().all(holds)),
            Function::ContainsAny => Val::Bool(wanted().iter().any(holds)),
        }
    }
}
