//! Values for the `{name}` of a filter.

use std::collections::BTreeMap;

/// The value of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateValue {
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    String(String),
    /// A list, of any types where the filter takes them.
    Array(Vec<TemplateValue>),
}

/// Values by the names that a filter gives them in braces; those that it does not name are left alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Templates(BTreeMap<String, TemplateValue>);

impl Templates {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a name.
    pub fn insert(&mut self, name: impl Into<String>, value: TemplateValue) {
        self.0.insert(name.into(), value);
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&TemplateValue> {
        self.0.get(name)
    }
}

impl<N: Into<String>> FromIterator<(N, TemplateValue)> for Templates {
    fn from_iter<I: IntoIterator<Item = (N, TemplateValue)>>(values: I) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}
