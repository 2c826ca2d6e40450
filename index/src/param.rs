//! Parameters of index types as data: name, range, default, stage and sentence; and the one parser over them.

use std::fmt;

use crate::ParamError;

/// When a parameter is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// With the request to build the index.
    Build,
    /// With each search.
    Search,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Build => "build",
            Self::Search => "search",
        })
    }
}

/// What values a parameter takes. A default of `None` means that the index chooses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamKind {
    /// A whole number.
    Int {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
        /// The value when none is given.
        default: Option<i64>,
    },
    /// A number.
    Float {
        /// The least value.
        min: f64,
        /// The greatest value.
        max: f64,
        /// The value when none is given.
        default: Option<f64>,
    },
    /// True or false.
    Bool {
        /// The value when none is given.
        default: Option<bool>,
    },
    /// One of some words.
    Choice {
        /// The words; letter case does not matter.
        choices: &'static [&'static str],
        /// The value when none is given.
        default: Option<&'static str>,
    },
}

/// One parameter of an index type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// Its name, as the field's papers and clients spell it.
    pub name: &'static str,
    /// Other spellings that are taken.
    pub aliases: &'static [&'static str],
    /// What values it takes.
    pub kind: ParamKind,
    /// When it is given.
    pub stage: Stage,
    /// One sentence on what it does.
    pub doc: &'static str,
}

impl Param {
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    fn default(&self) -> Option<Value> {
        match self.kind {
            ParamKind::Int { default, .. } => default.map(Value::Int),
            ParamKind::Float { default, .. } => default.map(Value::Float),
            ParamKind::Bool { default } => default.map(Value::Bool),
            ParamKind::Choice { default, .. } => default.map(Value::Choice),
        }
    }

    fn read(&self, text: &str) -> Result<Value, ParamError> {
        let trimmed = text.trim();
        let not_a = |want| ParamError::NotA { name: self.name, value: text.to_owned(), want };
        match self.kind {
            ParamKind::Int { min, max, .. } => {
                let value: i64 = trimmed.parse().map_err(|_| not_a("a whole number"))?;
                if (min..=max).contains(&value) {
                    Ok(Value::Int(value))
                } else {
                    Err(ParamError::IntRange { name: self.name, value, min, max })
                }
            }
            ParamKind::Float { min, max, .. } => {
                let value: f64 = trimmed.parse().map_err(|_| not_a("a number"))?;
                if (min..=max).contains(&value) {
                    Ok(Value::Float(value))
                } else {
                    Err(ParamError::FloatRange { name: self.name, value, min, max })
                }
            }
            ParamKind::Bool { .. } => {
                // Clients written in Python send `True` and `False`.
                if trimmed.eq_ignore_ascii_case("true") {
                    Ok(Value::Bool(true))
                } else if trimmed.eq_ignore_ascii_case("false") {
                    Ok(Value::Bool(false))
                } else {
                    Err(not_a("true or false"))
                }
            }
            ParamKind::Choice { choices, .. } => {
                let found = choices.iter().find(|choice| choice.eq_ignore_ascii_case(trimmed));
                found.map(|choice| Value::Choice(choice)).ok_or_else(|| ParamError::Choice {
                    name: self.name,
                    value: text.to_owned(),
                    choices,
                })
            }
        }
    }
}

/// The value of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Of a [`ParamKind::Int`].
    Int(i64),
    /// Of a [`ParamKind::Float`].
    Float(f64),
    /// Of a [`ParamKind::Bool`].
    Bool(bool),
    /// Of a [`ParamKind::Choice`].
    Choice(&'static str),
}

/// Parsed parameters of one stage: what was given, and defaults for the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParamSet {
    values: Vec<(&'static str, Value)>,
}

impl ParamSet {
    /// A set without any value, as of an index type without parameters.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The value of a parameter, by its declared name; `None` when neither given nor defaulted.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.values.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }

    /// The value of a whole-number parameter.
    pub fn get_int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(value)) => Some(value),
            Some(Value::Float(_) | Value::Bool(_) | Value::Choice(_)) | None => None,
        }
    }

    /// The value of a number parameter.
    pub fn get_float(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Value::Float(value)) => Some(value),
            Some(Value::Int(_) | Value::Bool(_) | Value::Choice(_)) | None => None,
        }
    }

    /// The value of a true-or-false parameter.
    pub fn get_bool(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Bool(value)) => Some(value),
            Some(Value::Int(_) | Value::Float(_) | Value::Choice(_)) | None => None,
        }
    }

    /// The value of a choice parameter, as declared.
    pub fn get_choice(&self, name: &str) -> Option<&'static str> {
        match self.get(name) {
            Some(Value::Choice(value)) => Some(value),
            Some(Value::Int(_) | Value::Float(_) | Value::Bool(_)) | None => None,
        }
    }

    /// The values in the order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        self.values.iter().copied()
    }
}

/// Reads `given` names and texts against the parameters declared for `stage`.
///
/// # Errors
/// On an unknown name, a name of the other stage, a text that is no such value, a value out of range, or a parameter
/// given twice with different values.
pub fn parse(declared: &[Param], stage: Stage, given: &[(String, String)]) -> Result<ParamSet, ParamError> {
    let mut texts: Vec<Option<&str>> = vec![None; declared.len()];
    for (name, text) in given {
        let Some(position) = declared.iter().position(|param| param.is_called(name)) else {
            let known = declared.iter().filter(|param| param.stage == stage).map(|param| param.name).collect();
            return Err(ParamError::Unknown { name: name.clone(), stage, known });
        };
        let param = &declared[position];
        if param.stage != stage {
            return Err(ParamError::WrongStage { name: param.name, belongs: param.stage });
        }
        match texts[position] {
            Some(first) if first.trim() != text.trim() => {
                return Err(ParamError::Twice { name: param.name, first: first.to_owned(), second: text.clone() });
            }
            Some(_) | None => texts[position] = Some(text),
        }
    }
    let mut values = Vec::new();
    for (param, text) in declared.iter().zip(texts).filter(|(param, _)| param.stage == stage) {
        let value = text.map(|text| param.read(text)).transpose()?.or_else(|| param.default());
        values.extend(value.map(|value| (param.name, value)));
    }
    Ok(ParamSet { values })
}

#[cfg(test)]
mod tests;
