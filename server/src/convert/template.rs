//! Values that a client puts in place of `{name}` in a filter.

use crate::proto::schema::template_array_value::Data as ArrayData;
use crate::proto::schema::template_value::Val;
use crate::proto::schema::{TemplateArrayValue, TemplateValue as WireValue};
use crate::status::Failure;
use elanus::{TemplateValue, Templates};
use std::collections::HashMap;

/// Deepest nesting of arrays in a value.
const DEPTH_MAX: usize = 32;

/// The values of a filter's templates.
///
/// # Errors
/// A value that is absent, or of a kind that is not supported.
pub fn templates(from: HashMap<String, WireValue>) -> Result<Templates, Failure> {
    let convert = |(name, value): (String, WireValue)| {
        let value = scalar(value.val, &name)?;
        Ok((name, value))
    };
    from.into_iter().map(convert).collect()
}

fn scalar(value: Option<Val>, name: &str) -> Result<TemplateValue, Failure> {
    match value {
        Some(Val::BoolVal(value)) => Ok(TemplateValue::Bool(value)),
        Some(Val::Int64Val(value)) => Ok(TemplateValue::Int(value)),
        Some(Val::FloatVal(value)) => Ok(TemplateValue::Float(value)),
        Some(Val::StringVal(value)) => Ok(TemplateValue::String(value)),
        Some(Val::ArrayVal(value)) => array(value, name, 1),
        Some(Val::BytesVal(_)) => Err(Failure::unsupported(format!("filter template {name}: a value of bytes"))),
        None => Err(Failure::parameter(format!("filter template {name} has no value"))),
    }
}

fn array(from: TemplateArrayValue, name: &str, depth: usize) -> Result<TemplateValue, Failure> {
    if depth > DEPTH_MAX {
        return Err(Failure::parameter(format!("filter template {name} is nested deeper than {DEPTH_MAX}")));
    }
    let values = match from.data {
        Some(ArrayData::BoolData(values)) => values.data.into_iter().map(TemplateValue::Bool).collect(),
        Some(ArrayData::LongData(values)) => values.data.into_iter().map(TemplateValue::Int).collect(),
        Some(ArrayData::DoubleData(values)) => values.data.into_iter().map(TemplateValue::Float).collect(),
        Some(ArrayData::StringData(values)) => values.data.into_iter().map(TemplateValue::String).collect(),
        Some(ArrayData::ArrayData(values)) => {
            values.data.into_iter().map(|value| array(value, name, depth + 1)).collect::<Result<_, _>>()?
        }
        Some(ArrayData::JsonData(values)) => {
            values.data.iter().map(|text| element(text, name)).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    Ok(TemplateValue::Array(values))
}

/// One element of an array of mixed types, which travels as JSON.
fn element(text: &[u8], name: &str) -> Result<TemplateValue, Failure> {
    let invalid = |why: &dyn std::fmt::Display| {
        Failure::parameter(format!("filter template {name}: an element of the array is {why}"))
    };
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|error| invalid(&error))?;
    json(value).ok_or_else(|| invalid(&"neither a boolean, a number, a string nor an array"))
}

fn json(value: serde_json::Value) -> Option<TemplateValue> {
    match value {
        serde_json::Value::Bool(value) => Some(TemplateValue::Bool(value)),
        serde_json::Value::Number(value) => match value.as_i64() {
            Some(value) => Some(TemplateValue::Int(value)),
            None => value.as_f64().map(TemplateValue::Float),
        },
        serde_json::Value::String(value) => Some(TemplateValue::String(value)),
        serde_json::Value::Array(values) => {
            values.into_iter().map(json).collect::<Option<_>>().map(TemplateValue::Array)
        }
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
