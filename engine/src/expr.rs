//! The filter language: text is compiled for a schema once and then evaluated over blocks of rows.
//!
//! `docs/filter.md` has the grammar and the meaning. The stages are one file each: `lex` and `parse` make an untyped
//! tree, `bind` a typed one, `eval` bitmaps.

mod bind;
mod error;
mod eval;
mod function;
mod json;
mod keys;
mod lex;
mod like;
mod mask;
mod node;
mod number;
mod parse;
mod set;
mod template;
mod tree;

pub use error::{EvalError, ExprError};
pub use template::{TemplateValue, Templates};

use bind::Binder;
use elanus_kernels::Bitmap;
use elanus_segment::{Block, Keys, Schema};
use error::Fault;
use eval::{Columns, Used};
use lex::TEXT_LENGTH_MAX;
use node::Node;
use std::sync::Arc;
use tree::Span;

/// A condition on the rows of one schema.
#[derive(Debug, Clone)]
pub struct Filter {
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    root: Node,
    used: Vec<Used>,
    positions: Vec<usize>,
    keys: Option<Keys>,
}

/// Compiles a filter; a blank text takes every row.
///
/// # Errors
/// What is wrong and where: in the grammar, with a name or a template, between types, or with a limit.
pub fn compile(text: &str, schema: &Schema, templates: &Templates) -> Result<Filter, ExprError> {
    if text.len() > TEXT_LENGTH_MAX {
        let end = text.len().min(u32::MAX as usize) as u32;
        let fault = Fault::new(Span { start: end, end }, format!("the text is longer than {TEXT_LENGTH_MAX} bytes"));
        return Err(fault.in_text(text));
    }
    if text.trim().is_empty() {
        return Ok(Filter::all());
    }
    compile_text(text, schema, templates).map_err(|fault| fault.in_text(text))
}

fn compile_text(text: &str, schema: &Schema, templates: &Templates) -> Result<Filter, Fault> {
    let tree = parse::parse(text)?;
    let mut binder = Binder { schema, templates, fields: Default::default() };
    let root = binder.truth(&tree)?;
    let used = |&position: &usize| {
        let field = &schema.fields[position];
        Used { position, name: field.name.clone(), data_type: field.data_type }
    };
    let used: Vec<Used> = binder.fields.iter().map(used).collect();
    let keys = keys::keys(&root, schema.primary_position());
    Ok(Filter::of(root, used, keys))
}

impl Filter {
    /// The filter that takes every row.
    pub fn all() -> Self {
        Self::of(Node::Const(true), Vec::new(), None)
    }

    fn of(root: Node, used: Vec<Used>, keys: Option<Keys>) -> Self {
        let positions = used.iter().map(|used| used.position).collect();
        Self { plan: Arc::new(Plan { root, used, positions, keys }) }
    }

    /// Whether it takes every row, whatever the row is.
    pub fn is_all(&self) -> bool {
        matches!(self.plan.root, Node::Const(true))
    }

    /// The rows of the block for which the condition is true; false and unknown are left out.
    ///
    /// # Errors
    /// A column that is not of the schema, or a stored value that is no JSON.
    pub fn eval(&self, block: &dyn Block) -> Result<Bitmap, EvalError> {
        Columns::new(&self.plan.used, block)?.select(&self.plan.root)
    }

    /// Whether the condition is true for one row of the block, without looking at the others.
    ///
    /// # Errors
    /// A column that is not of the schema, or a stored value that is no JSON.
    ///
    /// # Panics
    /// If the block has no such row.
    pub fn matches(&self, block: &dyn Block, row: usize) -> Result<bool, EvalError> {
        assert!(row < block.len(), "row {row} of {}", block.len());
        Columns::new(&self.plan.used, block)?.matches(&self.plan.root, row)
    }

    /// The primary keys of all rows for which the condition can be true, ascending, if these are a list: it may still
    /// be false for some of them.
    pub fn keys(&self) -> Option<&Keys> {
        self.plan.keys.as_ref()
    }

    /// Positions of the fields that it reads, ascending.
    pub fn fields(&self) -> &[usize] {
        &self.plan.positions
    }
}

#[cfg(test)]
mod tests;
