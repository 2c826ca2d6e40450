//! Operands: literals, paths, templates, calls, lists, parentheses, and what stands directly before or after them.

use super::super::error::Fault;
use super::super::function::Function;
use super::super::lex::Token;
use super::super::tree::{Call, Expr, Kind, Path, Span, Step};
use super::{Parser, power};

const RESERVED: [&str; 12] = ["and", "AND", "or", "OR", "not", "NOT", "in", "IN", "like", "LIKE", "exists", "EXISTS"];

impl<'a> Parser<'a> {
    /// An operand with the signs and negations before it.
    pub(super) fn prefix(&mut self) -> Result<Expr, Fault> {
        let place = self.span;
        let make: fn(Box<Expr>) -> Kind;
        let least;
        if self.is_symbol("!") || self.is_word("not", "NOT") {
            (make, least) = (Kind::Not, power::EQUALITY);
        } else if self.is_symbol("-") {
            (make, least) = (Kind::Negate, power::SIGN);
        } else if self.is_symbol("+") {
            (make, least) = (Kind::Plus, power::SIGN);
        } else if self.is_word("exists", "EXISTS") {
            (make, least) = (Kind::Exists, power::EXISTS);
        } else if self.is_symbol("~") {
            return Err(self.fault("operator ~ is not supported"));
        } else {
            return self.primary();
        }
        self.advance()?;
        let operand = self.expression(least)?;
        let span = place.to(operand.span);
        Expr::new(make(Box::new(operand)), span)
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        let expected = |token: &Token<'_>| format!("expected a value or a field, found {}", token.describe());
        let place = self.span;
        let kind = match &self.token {
            Token::Int(value) => Kind::Int(i128::from(*value)),
            Token::Float(value) => Kind::Float(*value),
            Token::Text(text) => Kind::Text(text.as_ref().into()),
            Token::Word(word) if !RESERVED.contains(word) => {
                let word = *word;
                return self.word(word);
            }
            Token::Symbol("(") => return self.parenthesis(),
            Token::Symbol("[") => return self.list(),
            Token::Symbol("{") => return self.template(),
            Token::Symbol("$") => return Err(self.fault("element access by $ is not supported")),
            Token::Word(_) | Token::Symbol(_) | Token::End => return Err(self.fault(expected(&self.token))),
        };
        self.advance()?;
        Expr::new(kind, place)
    }

    fn parenthesis(&mut self) -> Result<Expr, Fault> {
        let (_, open) = self.advance()?;
        let mut inner = self.expression(power::OR)?;
        let close = self.expect(")", "after the expression")?;
        inner.span = open.to(close);
        Ok(inner)
    }

    /// Expressions up to the closing symbol, which is taken; a comma may stand before it.
    fn elements(&mut self, close: &'static str, what: &str) -> Result<(Vec<Expr>, Span), Fault> {
        let mut elements = Vec::new();
        while !self.is_symbol(close) {
            elements.push(self.expression(power::OR)?);
            if !self.is_symbol(",") {
                break;
            }
            self.advance()?;
        }
        Ok((elements, self.expect(close, what)?))
    }

    fn list(&mut self) -> Result<Expr, Fault> {
        let (_, open) = self.advance()?;
        let (elements, close) = self.elements("]", "or `,` in the list")?;
        Expr::new(Kind::List(elements), open.to(close))
    }

    fn template(&mut self) -> Result<Expr, Fault> {
        let (_, open) = self.advance()?;
        let (token, place) = self.advance()?;
        let Token::Word(name) = token else {
            return Err(Fault::new(place, format!("expected the name of a template, found {}", token.describe())));
        };
        let close = self.expect("}", "after the name of a template")?;
        Expr::new(Kind::Template(name.into()), open.to(close))
    }

    /// A Boolean literal, a call, or a path with what may follow it.
    fn word(&mut self, word: &'a str) -> Result<Expr, Fault> {
        let (_, place) = self.advance()?;
        match word {
            "true" | "True" | "TRUE" => return Expr::new(Kind::Bool(true), place),
            "false" | "False" | "FALSE" => return Expr::new(Kind::Bool(false), place),
            "ISO" | "INTERVAL" if matches!(self.token, Token::Text(_)) => {
                return Err(Fault::new(place, format!("{word} literals are not supported")));
            }
            _ => {}
        }
        if self.is_symbol("(") {
            // Before the arguments are read: those of refused functions have a grammar of their own.
            let function = Function::find(word).map_err(|message| Fault::new(place, message))?;
            self.advance()?;
            let (args, close) = self.elements(")", "or `,` in the arguments")?;
            let call = Call { function, name: word.into(), args };
            return Expr::new(Kind::Call(Box::new(call)), place.to(close));
        }
        if word.starts_with('$') && word != "$meta" {
            return Err(Fault::new(place, format!("{word} is no name; only $meta begins with $")));
        }
        let mut path = Path { name: word.into(), steps: Vec::new() };
        let mut span = place;
        while self.is_symbol("[") {
            self.advance()?;
            path.steps.push(self.step()?);
            span = span.to(self.expect("]", "after the key")?);
        }
        let path = Expr::new(Kind::Path(Box::new(path)), span)?;
        self.null_test(path)
    }

    fn step(&mut self) -> Result<Step, Fault> {
        let (token, place) = self.advance()?;
        match token {
            Token::Text(key) => Ok(Step::Key(key.as_ref().into())),
            Token::Int(position) => {
                usize::try_from(position).map(Step::At).map_err(|_| Fault::new(place, "this position is too large"))
            }
            Token::Word(_) | Token::Symbol("$") => Err(Fault::new(place, "struct access is not supported")),
            Token::Float(_) | Token::Symbol(_) | Token::End => {
                let found = token.describe();
                Err(Fault::new(place, format!("expected a key in quotes or a position from 0, found {found}")))
            }
        }
    }

    /// `is null` and `is not null`, which stand directly behind a path and are keywords only there.
    fn null_test(&mut self, path: Expr) -> Result<Expr, Fault> {
        let is_upper = matches!(self.token, Token::Word("IS"));
        if !is_upper && !matches!(self.token, Token::Word("is")) {
            return Ok(path);
        }
        let (not, null) = if is_upper { ("NOT", "NULL") } else { ("not", "null") };
        self.advance()?;
        let negated = self.is_word(not, not);
        if negated {
            self.advance()?;
        }
        if !self.is_word(null, null) {
            let wanted = if negated { format!("`{null}`") } else { format!("`{null}` or `{not} {null}`") };
            return Err(self.fault(format!("expected {wanted}, found {}", self.token.describe())));
        }
        let (_, end) = self.advance()?;
        let span = path.span.to(end);
        Expr::new(Kind::IsNull(Box::new(path), negated), span)
    }
}
