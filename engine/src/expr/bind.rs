//! From the untyped tree to the typed one: names become columns, constants are folded and cast.

mod call;
mod compare;
mod number;
mod test;

use super::Templates;
use super::error::Fault;
use super::node::{JsonTest, Node, Num, Place};
use super::number::Number;
use super::set::Const;
use super::template::TemplateValue;
use super::tree::{DEPTH_MAX, Expr, Kind, Path, Span};
use elanus_segment::{DataType, Schema};
use std::collections::BTreeSet;

/// What an expression is, once its names are known.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Const(Const),
    Number(Num),
    /// A VarChar field.
    Text(usize),
    /// A test of the row.
    Truth(Node),
    /// A place of a JSON field, of a type that only the row knows.
    Json(Place),
}

/// Compiles a tree for a schema.
pub(crate) struct Binder<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) templates: &'a Templates,
    /// Positions of the fields met so far.
    pub(crate) fields: BTreeSet<usize>,
}

impl Binder<'_> {
    /// A test of the row.
    pub(crate) fn truth(&mut self, expr: &Expr) -> Result<Node, Fault> {
        match self.operand(expr)? {
            Operand::Truth(node) => Ok(node),
            Operand::Const(Const::Bool(value)) => Ok(Node::Const(value)),
            Operand::Json(place) => Ok(Node::Json { place, test: JsonTest::Truth }),
            other @ (Operand::Const(_) | Operand::Number(_) | Operand::Text(_)) => {
                let found = self.describe(&other);
                Err(Fault::new(expr.span, format!("expected a condition, found {found}")))
            }
        }
    }

    /// An expression of any type.
    pub(crate) fn operand(&mut self, expr: &Expr) -> Result<Operand, Fault> {
        let span = expr.span;
        match &expr.kind {
            Kind::Bool(value) => Ok(Operand::Const(Const::Bool(*value))),
            Kind::Int(value) => Ok(Operand::Const(Const::Number(Number::Int(*value)))),
            Kind::Float(value) => Ok(Operand::Const(Const::Number(Number::Float(*value)))),
            Kind::Text(text) => Ok(Operand::Const(Const::Text(text.clone()))),
            Kind::List(_) => {
                let elements = self.elements(expr)?;
                Ok(Operand::Const(Const::List(elements.into_iter().map(|(element, _)| element).collect())))
            }
            Kind::Template(name) => self.template(name, span).map(Operand::Const),
            Kind::Path(path) => self.path(path, span),
            Kind::Negate(inner) => self.negate(inner),
            Kind::Plus(inner) => self.plus(inner),
            Kind::Not(inner) => self.truth(inner).map(|node| truth(node.not())),
            Kind::And(parts) => self.truths(parts).map(|parts| truth(Node::and(parts))),
            Kind::Or(parts) => self.truths(parts).map(|parts| truth(Node::or(parts))),
            Kind::Arith(arith, sides) => self.arith(*arith, sides, span),
            Kind::Compare(order, sides) => {
                let (left, right) = (self.operand(&sides[0])?, self.operand(&sides[1])?);
                self.compare(*order, left, right, span).map(truth)
            }
            Kind::Chain(chain) => self.chain(chain, span).map(truth),
            Kind::In(test) => self.membership(test).map(truth),
            Kind::Like(test) => self.like(test).map(truth),
            Kind::Regex(test) => self.regex(test).map(truth),
            Kind::IsNull(inner, negated) => self.null_test(inner, *negated).map(truth),
            Kind::Exists(inner) => self.exists(inner).map(truth),
            Kind::Call(call) => self.call(call, span),
        }
    }

    fn truths(&mut self, parts: &[Expr]) -> Result<Vec<Node>, Fault> {
        parts.iter().map(|part| self.truth(part)).collect()
    }

    /// Position of the field, or of the dynamic field for a name that the schema does not have.
    pub(crate) fn place(&self, path: &Path, span: Span) -> Result<(usize, bool), Fault> {
        if let Some(position) = self.schema.position(&path.name) {
            return Ok((position, false));
        }
        match self.schema.dynamic_position() {
            Some(position) => Ok((position, true)),
            None => {
                let what = "does not exist, and the collection has no dynamic field";
                Err(Fault::new(span, format!("field {} {what}", path.name)))
            }
        }
    }

    /// The place of a path in a JSON field, for a name that is one or that is a dynamic key.
    pub(crate) fn json_place(&mut self, path: &Path, span: Span) -> Result<Option<Place>, Fault> {
        let (field, is_dynamic) = self.place(path, span)?;
        let key = is_dynamic.then(|| super::tree::Step::Key(path.name.clone()));
        if self.schema.fields[field].data_type != DataType::Json {
            return Ok(None);
        }
        self.fields.insert(field);
        Ok(Some(Place { field, steps: key.into_iter().chain(path.steps.iter().cloned()).collect() }))
    }

    fn path(&mut self, path: &Path, span: Span) -> Result<Operand, Fault> {
        if let Some(place) = self.json_place(path, span)? {
            return Ok(Operand::Json(place));
        }
        let (position, _) = self.place(path, span)?;
        let field = &self.schema.fields[position];
        let (name, data_type) = (&field.name, field.data_type);
        if !path.steps.is_empty() {
            return Err(Fault::new(span, format!("field {name} is {data_type} and has no keys or positions")));
        }
        let operand = match data_type {
            DataType::Bool => truth(Node::Flag(position)),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Operand::Number(Num::Int(position)),
            DataType::Float | DataType::Double => Operand::Number(Num::Float(position)),
            DataType::VarChar => Operand::Text(position),
            DataType::Json | DataType::FloatVector | DataType::Float16Vector => {
                return Err(Fault::new(span, format!("field {name} is {data_type} and cannot be filtered by value")));
            }
        };
        self.fields.insert(position);
        Ok(operand)
    }

    fn template(&self, name: &str, span: Span) -> Result<Const, Fault> {
        match self.templates.get(name) {
            Some(value) => constant(value, span, 0),
            None => Err(Fault::new(span, format!("template {name} has no value"))),
        }
    }

    /// A constant, and `wanted` named in the error if it is none.
    pub(crate) fn constant(&mut self, expr: &Expr, wanted: &str) -> Result<Const, Fault> {
        match self.operand(expr)? {
            Operand::Const(constant) => Ok(constant),
            other @ (Operand::Number(_) | Operand::Text(_) | Operand::Truth(_) | Operand::Json(_)) => {
                let found = self.describe(&other);
                Err(Fault::new(expr.span, format!("expected {wanted}, found {found}")))
            }
        }
    }

    /// The constants of a list, each with its place.
    pub(crate) fn elements(&mut self, expr: &Expr) -> Result<Vec<(Const, Span)>, Fault> {
        if let Kind::List(elements) = &expr.kind {
            let element = |element: &Expr| Ok((self.constant(element, "a constant in the list")?, element.span));
            return elements.iter().map(element).collect();
        }
        match self.constant(expr, "a list")? {
            Const::List(elements) => Ok(elements.into_iter().map(|element| (element, expr.span)).collect()),
            other @ (Const::Bool(_) | Const::Number(_) | Const::Text(_)) => {
                Err(Fault::new(expr.span, format!("expected a list, found {}", other.describe())))
            }
        }
    }

    /// `VarChar field name`.
    pub(crate) fn describe_field(&self, position: usize) -> String {
        let field = &self.schema.fields[position];
        format!("{} field {}", field.data_type, field.name)
    }

    /// How an operand is called in a message.
    pub(crate) fn describe(&self, operand: &Operand) -> String {
        match operand {
            Operand::Const(constant) => constant.describe().to_owned(),
            Operand::Number(Num::Int(field) | Num::Float(field)) | Operand::Text(field) => self.describe_field(*field),
            Operand::Truth(Node::Flag(field)) => self.describe_field(*field),
            Operand::Number(_) => "a number".to_owned(),
            Operand::Truth(_) => "a condition".to_owned(),
            Operand::Json(_) => "a JSON value".to_owned(),
        }
    }
}

/// A test of the row as an operand; one that is the same for every row is a constant.
pub(crate) fn truth(node: Node) -> Operand {
    if let Node::Const(value) = node { Operand::Const(Const::Bool(value)) } else { Operand::Truth(node) }
}

fn constant(value: &TemplateValue, span: Span, depth: usize) -> Result<Const, Fault> {
    if depth > DEPTH_MAX {
        return Err(super::tree::too_deep(span));
    }
    Ok(match value {
        TemplateValue::Bool(value) => Const::Bool(*value),
        TemplateValue::Int(value) => Const::Number(Number::Int(i128::from(*value))),
        TemplateValue::Float(value) if value.is_finite() => Const::Number(Number::Float(*value)),
        TemplateValue::Float(value) => {
            return Err(Fault::new(span, format!("the value of the template is {value}, which is no finite number")));
        }
        TemplateValue::String(value) => Const::Text(value.as_str().into()),
        TemplateValue::Array(values) => {
            let elements: Result<_, _> = values.iter().map(|value| constant(value, span, depth + 1)).collect();
            Const::List(elements?)
        }
    })
}
