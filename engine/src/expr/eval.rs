//! Evaluation over a block, chunk by chunk: each test gives the rows where it is true and those where it is false.
//!
//! A test is told which rows are still needed. Cheap ones ignore that and run over whole columns; dear ones (texts,
//! JSON) look at the needed rows alone. What a test says of other rows means nothing.

mod column;
mod json;
mod number;

use super::error::EvalError;
use super::mask::{Mask, ROWS, Tri, WORDS};
use super::node::Node;
use elanus_kernels::Bitmap;
use elanus_segment::{Block, ColumnView, DataType};

/// A field that a filter reads: what its column must be.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    pub(crate) position: usize,
    pub(crate) name: String,
    pub(crate) data_type: DataType,
}

/// The columns of a block that a filter reads.
pub(crate) struct Columns<'a> {
    used: &'a [Used],
    /// Columns by position; `None` where the filter does not look.
    views: Vec<Option<ColumnView<'a>>>,
    len: usize,
}

/// Rows `start..start + len` of a block; `start` is a multiple of 64.
pub(crate) struct Chunk<'a> {
    columns: &'a Columns<'a>,
    start: usize,
    len: usize,
}

impl<'a> Columns<'a> {
    /// Looks up the columns and checks them against the schema that the filter was compiled for.
    pub(crate) fn new(used: &'a [Used], block: &'a dyn Block) -> Result<Self, EvalError> {
        let len = block.len();
        let mut views = Vec::new();
        for Used { position, name, data_type } in used {
            let view = block.column(*position);
            if view.data_type() != *data_type {
                return Err(EvalError::Type { field: name.clone(), want: *data_type, got: view.data_type() });
            }
            if view.len() != len {
                return Err(EvalError::Length { field: name.clone(), want: len, got: view.len() });
            }
            views.resize(views.len().max(position + 1), None);
            views[*position] = Some(view);
        }
        Ok(Self { used, views, len })
    }

    /// The rows for which the test is true.
    pub(crate) fn select(&self, node: &Node) -> Result<Bitmap, EvalError> {
        let mut words = Vec::with_capacity(self.len.div_ceil(64));
        for start in (0..self.len).step_by(ROWS) {
            let chunk = Chunk { columns: self, start, len: ROWS.min(self.len - start) };
            let need = Mask::first(chunk.len);
            let found = chunk.test(node, &need)?.yes.and(&need);
            words.extend_from_slice(&found.0[..chunk.len.div_ceil(64)]);
        }
        Ok(Bitmap::from_words(words, self.len))
    }

    /// Whether the test is true for one row.
    pub(crate) fn matches(&self, node: &Node, row: usize) -> Result<bool, EvalError> {
        let start = row & !63;
        let chunk = Chunk { columns: self, start, len: 64.min(self.len - start) };
        let mut need = Mask::NONE;
        need.set(row - start);
        Ok(!chunk.test(node, &need)?.yes.and(&need).is_empty())
    }
}

impl Chunk<'_> {
    fn test(&self, node: &Node, need: &Mask) -> Result<Tri, EvalError> {
        match node {
            Node::Const(value) => Ok(Tri::of(*value)),
            Node::And(parts) => self.all(parts, need),
            Node::Or(parts) => self.any(parts, need),
            Node::Not(inner) => self.test(inner, need).map(Tri::not),
            Node::Same(sides) => {
                let (left, right) = (self.test(&sides[0], need)?, self.test(&sides[1], need)?);
                Ok(Tri {
                    yes: left.yes.and(&right.yes).or(&left.no.and(&right.no)),
                    no: left.yes.and(&right.no).or(&left.no.and(&right.yes)),
                })
            }
            Node::Certain(inner) => {
                let yes = self.test(inner, need)?.yes;
                Ok(Tri::known(&yes, &Mask::ALL))
            }
            Node::Present(field) => Ok(Tri::known(&self.valid(*field), &Mask::ALL)),
            Node::Flag(field) => self.flag(*field),
            Node::IntRange { field, least, greatest } => self.int_range(*field, *least, *greatest),
            Node::FloatRange { field, least, greatest } => self.float_range(*field, *least, *greatest),
            Node::IntIn { field, set } => self.int_in(*field, set),
            Node::FloatIn { field, set } => self.float_in(*field, set),
            Node::TextOrder { field, order, text } => {
                let wanted = text.as_bytes();
                self.bytes(*field, need, |bytes| order.holds(Some(bytes.cmp(wanted))))
            }
            Node::TextIn { field, set } => self.texts(*field, need, |text| set.contains(text)),
            Node::TextLike { field, like } => self.texts(*field, need, |text| like.matches(text)),
            Node::TextRegex { field, regex } => self.texts(*field, need, |text| regex.is_match(text)),
            Node::Texts { order, fields } => self.text_pair(*order, *fields, need),
            Node::Numbers { order, sides } => self.numbers(*order, sides, need),
            Node::Json { place, test } => self.json(place, test, need),
            Node::JsonPresent(place) => self.json_present(place, need),
        }
    }

    fn all(&self, parts: &[Node], need: &Mask) -> Result<Tri, EvalError> {
        let mut result = Tri::of(true);
        let mut need = *need;
        for part in parts {
            let found = self.test(part, &need)?;
            result = Tri { yes: result.yes.and(&found.yes), no: result.no.or(&found.no) };
            need = need.without(&result.no);
            if need.is_empty() {
                break;
            }
        }
        Ok(result)
    }

    fn any(&self, parts: &[Node], need: &Mask) -> Result<Tri, EvalError> {
        let mut result = Tri::of(false);
        let mut need = *need;
        for part in parts {
            let found = self.test(part, &need)?;
            result = Tri { yes: result.yes.or(&found.yes), no: result.no.and(&found.no) };
            need = need.without(&result.yes);
            if need.is_empty() {
                break;
            }
        }
        Ok(result)
    }

    /// The column of a field.
    fn view(&self, field: usize) -> ColumnView<'_> {
        let view = self.columns.views.get(field).copied().flatten();
        view.expect("the columns of all fields in the tree were looked up")
    }

    /// The rows that have a value.
    fn valid(&self, field: usize) -> Mask {
        let Some(validity) = self.view(field).validity else { return Mask::ALL };
        let words = &validity.words()[self.start / 64..];
        let mut mask = Mask::NONE;
        let count = self.len.div_ceil(64).min(WORDS);
        mask.0[..count].copy_from_slice(&words[..count]);
        mask
    }

    /// The column of a field is of another type than was checked.
    fn mistyped(&self, field: usize) -> EvalError {
        let got = self.view(field).data_type();
        let used = self.columns.used.iter().find(|used| used.position == field);
        let (name, want) = used.map_or((String::new(), got), |used| (used.name.clone(), used.data_type));
        EvalError::Type { field: name, want, got }
    }

    /// The name of a field.
    fn name(&self, field: usize) -> String {
        let used = self.columns.used.iter().find(|used| used.position == field);
        used.map_or_else(String::new, |used| used.name.clone())
    }
}
