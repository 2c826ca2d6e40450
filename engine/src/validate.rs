//! From what a client sends to a batch of the schema: every rule on values is checked here, before the log.

use crate::collection::Insert;
use crate::error::{Error, Result, Subject};
use elanus_kernels::F16;
use elanus_segment::schema::JSON_LENGTH_MAX;
use elanus_segment::{Batch, Column, ColumnData, ColumnView, DataType, Field, Keys, Schema, Value, ValuesView};
use std::collections::{HashMap, HashSet};

/// What happens with the keys that a client sends although the database makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyRule {
    /// Insert: they are refused.
    Make,
    /// Upsert: they say which rows go; new ones are made.
    Replace,
}

/// Checks and completes the columns of a write; returns the batch and its primary keys.
pub(crate) fn rows(
    schema: &Schema,
    request: Insert,
    rule: KeyRule,
    bytes_max: usize,
    make_keys: impl FnOnce(u64) -> u64,
) -> Result<(Batch, Keys)> {
    let count = request.row_count;
    check_counts(schema, &request, bytes_max)?;
    let mut given = by_name(schema, request.columns)?;
    let mut make_keys = Some(make_keys);
    let mut columns = Vec::with_capacity(schema.fields.len());
    for field in &schema.fields {
        let column = match given.remove(field.name.as_str()) {
            Some(_) if field.auto_id && rule == KeyRule::Make => {
                let text = format!("field {}: the database makes its values (auto_id), none may be sent", field.name);
                return Err(Error::invalid(Subject::Data, text));
            }
            Some(column) if !field.auto_id => complete(field, column, count)?,
            Some(_) | None if field.auto_id => {
                let first = make_keys.take().map_or(0, |make| make(count as u64));
                made_keys(field, first, count)
            }
            Some(_) | None => absent(field, count)?,
        };
        check_values(schema, field, column.view())?;
        columns.push(column);
    }
    let batch = Batch::new(schema, columns)
        .map_err(|source| Error::invalid(Subject::Data, "the rows do not fit the schema").with_source(source))?;
    let keys = keys_of(schema, &batch.columns()[schema.primary_position()])?;
    Ok((batch, keys))
}

/// What is to be made for columns that were not sent depends on a number in the request alone, so it is bounded before
/// anything is made.
fn check_counts(schema: &Schema, request: &Insert, bytes_max: usize) -> Result<()> {
    let count = request.row_count;
    if let Some((name, _)) = request.columns.iter().find(|(name, _)| schema.field(name).is_none()) {
        return Err(unknown(name));
    }
    if let Some((name, column)) = request.columns.iter().find(|(_, column)| column.len() != count) {
        let text = format!("field {name} has {} rows, the request has {count}", column.len());
        return Err(Error::invalid(Subject::Data, text));
    }
    let is_given = |field: &Field| request.columns.iter().any(|(name, _)| *name == field.name);
    let can_be_made = |field: &Field| field.auto_id || field.nullable || field.default.is_some() || field.is_dynamic;
    if let Some(field) = schema.fields.iter().find(|field| !is_given(field) && !can_be_made(field)) {
        return Err(missing(field));
    }
    let row_bytes: usize = schema.fields.iter().map(least_width).sum();
    let bytes = row_bytes.saturating_mul(count);
    if bytes > bytes_max || u32::try_from(count).is_err() {
        let text = format!("a write of {count} rows has at least {bytes} bytes, more than {bytes_max}: split it");
        return Err(Error::invalid(Subject::Request, text));
    }
    Ok(())
}

/// Bytes that a row of the field has at least.
fn least_width(field: &Field) -> usize {
    let text = match &field.default {
        Some(Value::String(text)) => text.len(),
        Some(Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_)) | None => 0,
    };
    field.data_type.width().unwrap_or(8 + text) * (field.dim as usize).max(1)
}

/// The primary keys that an upsert names.
pub(crate) fn given_keys(schema: &Schema, request: &Insert) -> Result<Keys> {
    let primary = schema.primary();
    let column = request.columns.iter().find(|(name, _)| *name == primary.name).map(|(_, column)| column);
    let column = column.ok_or_else(|| missing(primary))?;
    if column.len() != request.row_count {
        let text = format!("field {} has {} rows, the request has {}", primary.name, column.len(), request.row_count);
        return Err(Error::invalid(Subject::Data, text));
    }
    let keys = keys_of(schema, column)?;
    let mut seen = HashSet::with_capacity(keys.len());
    if let Some(twin) = keys.iter().find(|key| !seen.insert(*key)) {
        let text = format!("primary key {twin} stands twice in one upsert");
        return Err(Error::invalid(Subject::Data, text));
    }
    Ok(keys)
}

fn keys_of(schema: &Schema, column: &Column) -> Result<Keys> {
    let primary = schema.primary();
    let right = column.data_type() == primary.data_type && column.validity.is_none();
    right.then(|| Keys::from_column(column.view())).flatten().ok_or_else(|| {
        let text = format!("field {}: primary keys must be {} without NULL", primary.name, primary.data_type);
        Error::invalid(Subject::Data, text)
    })
}

fn by_name(schema: &Schema, columns: Vec<(String, Column)>) -> Result<HashMap<&str, Column>> {
    let mut given = HashMap::with_capacity(columns.len());
    for (name, column) in columns {
        let field = schema.field(&name).ok_or_else(|| unknown(&name))?;
        if given.insert(field.name.as_str(), column).is_some() {
            return Err(Error::invalid(Subject::Data, format!("field {name} is sent twice")));
        }
    }
    Ok(given)
}

fn unknown(name: &str) -> Error {
    Error::invalid(Subject::Field, format!("field {name} is not in the schema of the collection"))
}

fn missing(field: &Field) -> Error {
    Error::invalid(Subject::Data, format!("field {} has no data: it is neither nullable nor has a default", field.name))
}

fn made_keys(field: &Field, first: u64, count: usize) -> Column {
    let keys = (first..).take(count);
    if field.data_type == DataType::VarChar {
        Column::full(ColumnData::VarChar(keys.map(|key| key.to_string()).collect()))
    } else {
        Column::full(ColumnData::Int64(keys.map(|key| i64::try_from(key).unwrap_or(i64::MAX)).collect()))
    }
}

/// The column of a field that the client did not send.
fn absent(field: &Field, count: usize) -> Result<Column> {
    let mut column = Column::empty(field);
    if field.is_dynamic {
        return Ok(Column::full(ColumnData::Json((0..count).map(|_| "{}").collect())));
    }
    let value = match &field.default {
        Some(value) => value,
        None if field.nullable => &Value::Null,
        None => return Err(missing(field)),
    };
    (0..count).for_each(|_| {
        column.push_value(value);
    });
    Ok(column)
}

/// The column that the client sent, in the field's type, with defaults where it has no value.
fn complete(field: &Field, column: Column, count: usize) -> Result<Column> {
    let column = convert(field, column)?;
    if column.len() != count {
        let text = format!("field {} has {} rows, the request has {count}", field.name, column.len());
        return Err(Error::invalid(Subject::Data, text));
    }
    let nulls = column.validity.as_ref().map_or(0, |bits| count - bits.count_ones());
    if nulls == 0 {
        return Ok(Column { validity: None, ..column });
    }
    match &field.default {
        Some(value) if !matches!(value, Value::Null) => Ok(with_default(field, &column, value)),
        _ if field.is_dynamic => Ok(with_filler_object(&column)),
        _ if field.nullable => Ok(column),
        _ => {
            let row = column.validity.as_ref().and_then(|bits| (0..count).find(|&row| !bits.get(row))).unwrap_or(0);
            let text = format!("field {}: row {row} has no value, and the field is not nullable", field.name);
            Err(Error::invalid(Subject::Data, text))
        }
    }
}

fn with_default(field: &Field, column: &Column, value: &Value) -> Column {
    let mut filled = Column::empty(field);
    let view = column.view();
    for row in 0..view.len() {
        if view.is_valid(row) {
            filled.push_from(view, row);
        } else {
            filled.push_value(value);
        }
    }
    Column { validity: None, ..filled }
}

fn with_filler_object(column: &Column) -> Column {
    let view = column.view();
    let ValuesView::Json(texts) = view.values else { return column.clone() };
    let objects = (0..texts.len()).map(|row| if view.is_valid(row) { texts.get(row) } else { "{}" });
    Column::full(ColumnData::Json(objects.collect()))
}

/// 32-bit floats are taken for 16-bit vectors; every other difference of type is refused.
fn convert(field: &Field, column: Column) -> Result<Column> {
    let got = column.data_type();
    if got == field.data_type {
        return Ok(column);
    }
    match (field.data_type, column.data) {
        (DataType::Float16Vector, ColumnData::FloatVector { dim, data }) => {
            let data = data.into_iter().map(F16::from_f32).collect();
            Ok(Column { data: ColumnData::Float16Vector { dim, data }, validity: column.validity })
        }
        (want, _) => {
            let text = format!("field {} is {want}, but {got} was sent", field.name);
            Err(Error::invalid(Subject::Data, text))
        }
    }
}

fn check_values(schema: &Schema, field: &Field, column: ColumnView<'_>) -> Result<()> {
    let refuse = |row: usize, what: String| {
        Err(Error::invalid(Subject::Data, format!("field {}, row {row}: {what}", field.name)))
    };
    let not_finite = "the value is NaN or infinite".to_owned();
    match column.values {
        ValuesView::Float(values) => match values.iter().position(|value| !value.is_finite()) {
            Some(row) => refuse(row, not_finite),
            None => Ok(()),
        },
        ValuesView::Double(values) => match values.iter().position(|value| !value.is_finite()) {
            Some(row) => refuse(row, not_finite),
            None => Ok(()),
        },
        ValuesView::VarChar(texts) => {
            let long = (0..texts.len()).find(|&row| texts.get_bytes(row).len() > field.max_length as usize);
            match long {
                Some(row) => {
                    let length = texts.get_bytes(row).len();
                    refuse(row, format!("the string has {length} bytes, max_length is {}", field.max_length))
                }
                None => Ok(()),
            }
        }
        ValuesView::Json(texts) => (0..texts.len())
            .filter(|&row| column.is_valid(row))
            .try_for_each(|row| check_json(schema, field, texts.get(row)).or_else(|what| refuse(row, what))),
        ValuesView::FloatVector(rows) => {
            check_vectors(field, rows.data(), column.validity.map(|_| column), |one| one.is_finite())
        }
        ValuesView::Float16Vector(rows) => {
            check_vectors(field, rows.data(), column.validity.map(|_| column), |one| one.to_f32().is_finite())
        }
        ValuesView::Bool(_)
        | ValuesView::Int8(_)
        | ValuesView::Int16(_)
        | ValuesView::Int32(_)
        | ValuesView::Int64(_) => Ok(()),
    }
}

fn check_vectors<E: Copy>(
    field: &Field,
    data: &[E],
    nulls: Option<ColumnView<'_>>,
    finite: impl Fn(E) -> bool,
) -> Result<()> {
    let dim = (field.dim as usize).max(1);
    let is_bad = |position: &usize| nulls.is_none_or(|column| column.is_valid(position / dim));
    let bad = data.iter().enumerate().filter(|(_, one)| !finite(**one)).map(|(position, _)| position).find(is_bad);
    match bad {
        Some(position) => {
            let text = format!(
                "field {}, row {}: component {} of the vector is NaN or infinite",
                field.name,
                position / dim,
                position % dim
            );
            Err(Error::invalid(Subject::Data, text))
        }
        None => Ok(()),
    }
}

/// Deepest nesting of JSON: parsers of clients give up beyond a few hundred, and could never read the row again.
const JSON_DEPTH_MAX: usize = 128;

/// How deeply objects and arrays stand in each other; brackets inside strings do not count.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn check_json(schema: &Schema, field: &Field, text: &str) -> Result<(), String> {
    if text.len() > JSON_LENGTH_MAX {
        return Err(format!("the JSON has {} bytes, at most {JSON_LENGTH_MAX} are allowed", text.len()));
    }
    let depth = nesting(text);
    if depth > JSON_DEPTH_MAX {
        return Err(format!("the JSON is nested {depth} deep, at most {JSON_DEPTH_MAX} are allowed"));
    }
    if !field.is_dynamic {
        return match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("no valid JSON: {error}")),
        };
    }
    let keys: HashMap<String, serde::de::IgnoredAny> =
        serde_json::from_str(text).map_err(|error| format!("the dynamic field holds no JSON object: {error}"))?;
    match keys.keys().find(|key| schema.field(key).is_some()) {
        Some(key) => Err(format!("the dynamic key {key} is the name of a field")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
