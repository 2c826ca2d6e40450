//! Parameters that travel as text: each is taken by name once, and those that nobody took are refused by name.

use crate::proto::common::KeyValuePair;
use crate::status::Failure;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// Name of the parameter whose value is a JSON object of further ones.
const NESTED: &str = "params";

/// The parameters of one request.
#[derive(Debug)]
pub struct Params {
    /// What they are parameters of, for messages.
    what: &'static str,
    values: BTreeMap<String, String>,
}

impl Params {
    /// Takes the pairs, with those of the nested object beside them.
    ///
    /// # Errors
    /// A name that stands twice with different values, or a nested object that is none.
    pub fn new(what: &'static str, pairs: Vec<KeyValuePair>) -> Result<Self, Failure> {
        let mut params = Self { what, values: BTreeMap::new() };
        let mut nested = None;
        for pair in pairs {
            if pair.key == NESTED && nested.is_none() {
                nested = Some(pair.value);
            } else {
                params.put(pair.key, pair.value)?;
            }
        }
        if let Some(text) = nested.filter(|text| !text.trim().is_empty()) {
            params.put_object(&text)?;
        }
        Ok(params)
    }

    fn put_object(&mut self, text: &str) -> Result<(), Failure> {
        let invalid = |what, why: &dyn Display| Failure::parameter(format!("{what}: params is no JSON object: {why}"));
        let object: Value = serde_json::from_str(text).map_err(|error| invalid(self.what, &error))?;
        match object {
            Value::Null => Ok(()),
            Value::Object(object) => {
                for (name, value) in object {
                    if let Some(text) = text_of(value) {
                        self.put(name, text)?;
                    }
                }
                Ok(())
            }
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(invalid(self.what, &other))
            }
        }
    }

    fn put(&mut self, name: String, value: String) -> Result<(), Failure> {
        match self.values.get(&name) {
            // Clients repeat outer parameters in the nested object, spelling booleans and numbers in another way.
            Some(before) if !same(before, &value) => Err(Failure::parameter(format!(
                "{}: parameter {name} is given twice, as {before:?} and as {value:?}",
                self.what
            ))),
            Some(_) => Ok(()),
            None => {
                self.values.insert(name, value);
                Ok(())
            }
        }
    }

    /// Takes a parameter as it is; empty ones count as not given.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.values.remove(name).filter(|value| !value.is_empty() && value != "None")
    }

    /// Takes a number.
    ///
    /// # Errors
    /// If the value is none of that type.
    pub fn number<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let parsed = text.trim().parse().map_err(|error| {
            Failure::parameter(format!("{}: parameter {name} is {text:?}, which is no such number: {error}", self.what))
        })?;
        Ok(Some(parsed))
    }

    /// Takes a finite floating point number.
    ///
    /// # Errors
    /// If the value is none.
    pub fn float(&mut self, name: &str) -> Result<Option<f32>, Failure> {
        let value = self.number::<f64>(name)?.map(|value| value as f32);
        match value {
            Some(value) if !value.is_finite() => {
                Err(Failure::parameter(format!("{}: parameter {name} is {value}, which is not finite", self.what)))
            }
            value => Ok(value),
        }
    }

    /// Takes a boolean; one that is not given is false.
    ///
    /// # Errors
    /// If the value is none.
    pub fn flag(&mut self, name: &str) -> Result<bool, Failure> {
        let Some(text) = self.text(name) else { return Ok(false) };
        boolean(&text).ok_or_else(|| {
            Failure::parameter(format!("{}: parameter {name} is {text:?}, want true or false", self.what))
        })
    }

    /// Refuses a parameter that Milvus has and this server does not; a value that switches it off passes.
    ///
    /// # Errors
    /// If it is given.
    pub fn refuse(&mut self, name: &str) -> Result<(), Failure> {
        match self.text(name) {
            Some(text) if boolean(&text) != Some(false) => {
                Err(Failure::unsupported(format!("{}: parameter {name}", self.what)))
            }
            _ => Ok(()),
        }
    }

    /// What nobody took, in the order of the names.
    pub fn rest(self) -> Vec<(String, String)> {
        self.values.into_iter().collect()
    }

    /// Refuses what nobody took.
    ///
    /// # Errors
    /// If there is such a parameter.
    pub fn finish(self) -> Result<(), Failure> {
        match self.values.into_iter().next() {
            Some((name, _)) => Err(Failure::parameter(format!("{}: unknown parameter {name}", self.what))),
            None => Ok(()),
        }
    }
}

/// A boolean as Python, Go and JSON spell it.
pub fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") || text == "1" {
        return Some(true);
    }
    (text.eq_ignore_ascii_case("false") || text == "0").then_some(false)
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Some(other.to_string()),
    }
}

fn same(a: &str, b: &str) -> bool {
    let numbers = || Some(a.parse::<f64>().ok()? == b.parse::<f64>().ok()?);
    a.eq_ignore_ascii_case(b) || numbers() == Some(true)
}

#[cfg(test)]
mod tests;
