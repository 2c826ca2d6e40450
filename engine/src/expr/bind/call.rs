//! Calls of functions.

use super::super::error::Fault;
use super::super::function::Function;
use super::super::node::{JsonTest, Node, Num, Place};
use super::super::set::Const;
use super::super::tree::{Call, Expr, Span};
use super::{Binder, Operand, truth};

impl Binder<'_> {
    /// A call.
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Result<Operand, Fault> {
        if call.function == Function::Length {
            let [array] = args(call, span)?;
            return Ok(Operand::Number(Num::Length(self.json_arg(array, &call.name)?)));
        }
        let [array, wanted] = args(call, span)?;
        let place = self.json_arg(array, &call.name)?;
        let test = match call.function {
            Function::ContainsAll => JsonTest::ContainsAll(self.list_arg(wanted)?),
            Function::ContainsAny => JsonTest::ContainsAny(self.list_arg(wanted)?),
            Function::Contains | Function::Length => JsonTest::Contains(self.constant(wanted, "a constant")?),
        };
        Ok(truth(Node::Json { place, test }))
    }

    fn json_arg(&mut self, arg: &Expr, function: &str) -> Result<Place, Fault> {
        match self.operand(arg)? {
            Operand::Json(place) => Ok(place),
            other @ (Operand::Const(_) | Operand::Number(_) | Operand::Text(_) | Operand::Truth(_)) => {
                let found = self.describe(&other);
                Err(Fault::new(arg.span, format!("{function} needs a JSON array, found {found}")))
            }
        }
    }

    fn list_arg<C: FromIterator<Const>>(&mut self, arg: &Expr) -> Result<C, Fault> {
        Ok(self.elements(arg)?.into_iter().map(|(element, _)| element).collect())
    }
}

fn args<const COUNT: usize>(call: &Call, span: Span) -> Result<[&Expr; COUNT], Fault> {
    let args: Vec<&Expr> = call.args.iter().collect();
    args.try_into().map_err(|args: Vec<&Expr>| {
        let plural = if COUNT == 1 { "" } else { "s" };
        Fault::new(span, format!("{} takes {COUNT} argument{plural}, not {}", call.name, args.len()))
    })
}
