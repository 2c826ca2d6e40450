//! Tests against constants: `in`, `like`, `=~`, `is null`, `exists`.

use super::super::error::Fault;
use super::super::like::{Like, regex};
use super::super::node::{JsonTest, Node, Num, Place};
use super::super::number::Number;
use super::super::set::Const;
use super::super::tree::{Expr, Infix, Kind, Span};
use super::compare::to_single;
use super::{Binder, Operand};
use elanus_segment::DataType;
use std::cmp::Ordering;
use std::collections::HashSet;

impl Binder<'_> {
    /// `value in [..]`, perhaps negated.
    pub(super) fn membership(&mut self, test: &Infix) -> Result<Node, Fault> {
        let value = self.operand(&test.value)?;
        let elements = self.elements(&test.constant)?;
        let name = self.describe(&value);
        let node = match value {
            Operand::Number(Num::Int(field)) => {
                Node::IntIn { field, set: ints(&elements, &name)?.into_iter().collect() }
            }
            Operand::Number(Num::Float(field)) => {
                let is_single = self.schema.fields[field].data_type == DataType::Float;
                Node::FloatIn { field, set: floats(&elements, &name, is_single)?.into_iter().collect() }
            }
            Operand::Text(field) => Node::TextIn { field, set: texts(elements, &name)? },
            Operand::Truth(node) => truth_in(node, bools(&elements, &name)?),
            Operand::Json(place) => {
                if let Some((element, span)) = elements.iter().find(|(element, _)| matches!(element, Const::List(_))) {
                    return Err(misfit(&name, element, *span));
                }
                let set = elements.into_iter().map(|(element, _)| element).collect();
                Node::Json { place, test: JsonTest::In(set) }
            }
            Operand::Const(_) | Operand::Number(_) => {
                let message = format!("expected a field or a JSON path before `in`, found {name}");
                return Err(Fault::new(test.value.span, message));
            }
        };
        Ok(node.not_if(test.negated))
    }

    /// `value like "pattern"`.
    pub(super) fn like(&mut self, test: &Infix) -> Result<Node, Fault> {
        let (value, pattern) = self.pattern(test, "like")?;
        let like = Like::new(&pattern).map_err(|message| Fault::new(test.constant.span, message))?;
        Ok(match value {
            Place { field, steps } if self.is_json(field) => {
                Node::Json { place: Place { field, steps }, test: JsonTest::Like(like) }
            }
            Place { field, .. } => Node::TextLike { field, like },
        })
    }

    /// `value =~ "pattern"`, perhaps negated.
    pub(super) fn regex(&mut self, test: &Infix) -> Result<Node, Fault> {
        let (value, pattern) = self.pattern(test, if test.negated { "!~" } else { "=~" })?;
        let regex = regex(&pattern).map_err(|message| Fault::new(test.constant.span, message))?;
        Ok(match value {
            Place { field, steps } if self.is_json(field) => {
                let node = Node::Json { place: Place { field, steps }, test: JsonTest::Regex(regex) };
                // As Milvus documents it: `!~` takes JSON values that are missing or no text.
                if test.negated { Node::Certain(Box::new(node)).not() } else { node }
            }
            Place { field, .. } => Node::TextRegex { field, regex }.not_if(test.negated),
        })
    }

    fn is_json(&self, field: usize) -> bool {
        self.schema.fields[field].data_type == DataType::Json
    }

    /// The VarChar field (as a place without steps) or JSON place on the left, and the text on the right.
    fn pattern(&mut self, test: &Infix, operator: &str) -> Result<(Place, Box<str>), Fault> {
        let place = match self.operand(&test.value)? {
            Operand::Text(field) => Place { field, steps: Vec::new() },
            Operand::Json(place) => place,
            other @ (Operand::Const(_) | Operand::Number(_) | Operand::Truth(_)) => {
                let found = self.describe(&other);
                let message = format!("{operator} needs a VarChar field or a JSON path, found {found}");
                return Err(Fault::new(test.value.span, message));
            }
        };
        match self.constant(&test.constant, "a pattern")? {
            Const::Text(text) => Ok((place, text)),
            other @ (Const::Bool(_) | Const::Number(_) | Const::List(_)) => {
                let message = format!("{operator} needs a string as its pattern, found {}", other.describe());
                Err(Fault::new(test.constant.span, message))
            }
        }
    }

    /// `path is null`, perhaps negated.
    pub(super) fn null_test(&mut self, inner: &Expr, negated: bool) -> Result<Node, Fault> {
        let Kind::Path(path) = &inner.kind else {
            return Err(Fault::new(inner.span, "is null needs a field or a JSON path"));
        };
        if let Some(place) = self.json_place(path, inner.span)? {
            return Ok(Node::JsonPresent(place).not_if(!negated));
        }
        let (position, _) = self.place(path, inner.span)?;
        let field = &self.schema.fields[position];
        if !path.steps.is_empty() {
            let message = format!("field {} is {} and has no keys or positions", field.name, field.data_type);
            return Err(Fault::new(inner.span, message));
        }
        if !field.nullable {
            return Ok(Node::Const(negated));
        }
        self.fields.insert(position);
        Ok(Node::Present(position).not_if(!negated))
    }

    /// `exists path`.
    pub(super) fn exists(&mut self, inner: &Expr) -> Result<Node, Fault> {
        match self.operand(inner)? {
            Operand::Json(place) => Ok(Node::JsonPresent(place)),
            other @ (Operand::Const(_) | Operand::Number(_) | Operand::Text(_) | Operand::Truth(_)) => {
                let found = self.describe(&other);
                Err(Fault::new(inner.span, format!("exists needs a JSON path, found {found}")))
            }
        }
    }
}

/// A constant that cannot be cast to what it is looked for among.
fn misfit(name: &str, element: &Const, span: Span) -> Fault {
    Fault::new(span, format!("{name} cannot be in a list with {}", element.describe()))
}

fn ints(elements: &[(Const, Span)], name: &str) -> Result<Vec<i64>, Fault> {
    let mut values = Vec::with_capacity(elements.len());
    for (element, span) in elements {
        let Const::Number(Number::Int(value)) = element else { return Err(misfit(name, element, *span)) };
        // What no 64-bit integer equals finds nothing.
        values.extend(i64::try_from(*value));
    }
    Ok(values)
}

fn floats(elements: &[(Const, Span)], name: &str, is_single: bool) -> Result<Vec<f64>, Fault> {
    let mut values = Vec::with_capacity(elements.len());
    for (element, span) in elements {
        let Const::Number(value) = element else { return Err(misfit(name, element, *span)) };
        if is_single {
            values.push(f64::from(to_single(*value)));
        } else if Number::Float(value.to_f64()).compare(*value) == Some(Ordering::Equal) {
            // An integer that no double equals finds nothing.
            values.push(value.to_f64());
        }
    }
    Ok(values)
}

fn texts(elements: Vec<(Const, Span)>, name: &str) -> Result<HashSet<Box<str>>, Fault> {
    let mut texts = HashSet::with_capacity(elements.len());
    for (element, span) in elements {
        let Const::Text(text) = element else { return Err(misfit(name, &element, span)) };
        texts.insert(text);
    }
    Ok(texts)
}

/// Which of false and true are in the list.
fn bools(elements: &[(Const, Span)], name: &str) -> Result<[bool; 2], Fault> {
    let mut wanted = [false; 2];
    for (element, span) in elements {
        let Const::Bool(value) = element else { return Err(misfit(name, element, *span)) };
        wanted[usize::from(*value)] = true;
    }
    Ok(wanted)
}

/// Whether a condition is one of the wanted values, `wanted[0]` being false.
fn truth_in(node: Node, wanted: [bool; 2]) -> Node {
    match wanted {
        [false, true] => node,
        [true, false] => node.not(),
        [true, true] => Node::or(vec![node.clone(), node.not()]),
        [false, false] => Node::and(vec![node.clone(), node.not()]),
    }
}
