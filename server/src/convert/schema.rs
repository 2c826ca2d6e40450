//! Collection schemas.

use crate::convert::key_values;
use crate::convert::params::boolean;
use crate::proto::common::KeyValuePair;
use crate::proto::schema::value_field::Data;
use crate::proto::schema::{CollectionSchema, DataType as WireType, FieldSchema, ValueField};
use crate::status::{Code, Failure};
use elanus::{CollectionInfo, DataType, Field, Schema, SchemaError, Value};
use prost::Message;

/// A collection's schema from the bytes in which it travels.
///
/// # Errors
/// Bytes that are no schema, a rule that a field breaks, or something that is not supported.
pub fn decode(bytes: &[u8]) -> Result<(String, Schema), Failure> {
    let wire = CollectionSchema::decode(bytes)
        .map_err(|error| Failure::of(Code::CollectionSchema, format!("the schema cannot be read: {error}")))?;
    refuse_collection_features(&wire)?;
    let mut fields = Vec::with_capacity(wire.fields.len());
    for field in wire.fields {
        let mut field = self::field(field)?;
        // Old clients say it of the collection.
        field.auto_id |= wire.auto_id && field.primary_key;
        fields.push(field);
    }
    let schema = Schema::new(wire.description, fields, wire.enable_dynamic_field).map_err(|error| rule(&error))?;
    Ok((wire.name, schema))
}

fn refuse_collection_features(wire: &CollectionSchema) -> Result<(), Failure> {
    let refused = [
        (!wire.functions.is_empty(), "a function in the schema (BM25, TextEmbedding, MinHash)"),
        (!wire.struct_array_fields.is_empty(), "a struct array field"),
        (!wire.external_source.is_empty() || !wire.external_spec.is_empty(), "an external collection"),
        (wire.enable_namespace, "enable_namespace"),
        (!wire.file_resource_ids.is_empty(), "a file resource"),
        (wire.do_physical_backfill, "do_physical_backfill"),
        (!wire.properties.is_empty(), "a property inside the schema"),
    ];
    refuse_first("", &refused)
}

fn refuse_first(prefix: &str, features: &[(bool, &str)]) -> Result<(), Failure> {
    match features.iter().find(|(is_used, _)| *is_used) {
        Some((_, name)) => Err(Failure::unsupported(format!("{prefix}{name}"))),
        None => Ok(()),
    }
}

fn rule(error: &SchemaError) -> Failure {
    Failure::of(Code::CollectionSchema, error.to_string())
}

/// The supported type with that number.
///
/// # Errors
/// A number that stands for no type, or for one that is not supported; `field` is named.
pub fn data_type(number: i32, field: &str) -> Result<DataType, Failure> {
    DataType::from_wire(number).ok_or_else(|| match WireType::try_from(number) {
        Ok(known) => Failure::unsupported(format!("field {field}: data type {}", known.as_str_name())),
        Err(_) => Failure::parameter(format!("field {field}: {number} is no data type")),
    })
}

fn field(wire: FieldSchema) -> Result<Field, Failure> {
    let name = wire.name;
    let prefix = format!("field {name}: ");
    let data_type = data_type(wire.data_type, &name)?;
    let refused = [
        (wire.is_partition_key, "a partition key"),
        (wire.is_clustering_key, "a clustering key"),
        (wire.is_function_output, "the output of a function"),
        (!wire.external_field.is_empty(), "an external field"),
        (wire.element_type != 0, "an element type"),
        (!wire.index_params.is_empty(), "index parameters in the schema"),
    ];
    refuse_first(&prefix, &refused)?;
    let mut field = Field::new(name, data_type);
    field.description = wire.description;
    field.primary_key = wire.is_primary_key;
    field.auto_id = wire.auto_id;
    field.nullable = wire.nullable;
    field.is_dynamic = wire.is_dynamic;
    field.default = wire.default_value.map(|value| default_value(value, &field.name)).transpose()?;
    for KeyValuePair { key, value } in wire.type_params {
        type_param(&mut field, key, value)?;
    }
    Ok(field)
}

/// Type parameters that switch on what is not supported, unless they say no.
const REFUSED_TYPE_PARAMS: [&str; 5] =
    ["enable_analyzer", "enable_match", "analyzer_params", "multi_analyzer_params", "max_capacity"];

fn type_param(field: &mut Field, key: String, value: String) -> Result<(), Failure> {
    if value.is_empty() || value == "null" {
        return Ok(());
    }
    let number = |value: &str| {
        let range = || Failure::parameter(format!("field {}: {key} is {value:?}, want a whole number", field.name));
        value.trim().parse::<u32>().map_err(|_no_number| range())
    };
    match key.as_str() {
        "dim" => field.dim = number(&value)?,
        "max_length" if field.data_type == DataType::VarChar => field.max_length = number(&value)?,
        "max_length" => {
            let reason = format!("field {}: max_length is for VarChar, this is {}", field.name, field.data_type);
            return Err(Failure::of(Code::CollectionSchema, reason));
        }
        refused if REFUSED_TYPE_PARAMS.contains(&refused) => {
            if boolean(&value) != Some(false) && value != "{}" {
                return Err(Failure::unsupported(format!("field {}: {refused}", field.name)));
            }
        }
        // Where data is kept in memory is decided by the server; what was asked for is reported back.
        hint if hint.starts_with("mmap") || hint.starts_with("warmup") => field.params.push((key, value)),
        unknown => return Err(Failure::parameter(format!("field {}: unknown parameter {unknown}", field.name))),
    }
    Ok(())
}

fn default_value(wire: ValueField, field: &str) -> Result<Value, Failure> {
    let unsupported = |what| Err(Failure::unsupported(format!("field {field}: a default value of type {what}")));
    match wire.data {
        None => Ok(Value::Null),
        Some(Data::BoolData(value)) => Ok(Value::Bool(value)),
        Some(Data::IntData(value)) => Ok(Value::Int(value.into())),
        Some(Data::LongData(value)) => Ok(Value::Int(value)),
        Some(Data::FloatData(value)) => Ok(Value::Float(value.into())),
        Some(Data::DoubleData(value)) => Ok(Value::Float(value)),
        Some(Data::StringData(value)) => Ok(Value::String(value)),
        Some(Data::BytesData(_)) => unsupported("bytes"),
        Some(Data::TimestamptzData(_)) => unsupported("Timestamptz"),
        Some(Data::DateData(_)) => unsupported("Date"),
        Some(Data::TimeData(_)) => unsupported("Time"),
    }
}

/// The schema as clients are told it: the dynamic field does not stand among the others.
pub fn encode(info: &CollectionInfo) -> CollectionSchema {
    let schema = &info.schema;
    CollectionSchema {
        name: info.name.clone(),
        description: schema.description.clone(),
        auto_id: schema.primary().auto_id,
        fields: schema.fields.iter().filter(|field| !field.is_dynamic).map(wire_field).collect(),
        enable_dynamic_field: schema.dynamic_position().is_some(),
        db_name: info.database.clone(),
        ..CollectionSchema::default()
    }
}

fn wire_field(field: &Field) -> FieldSchema {
    let dim = field.data_type.is_vector().then(|| ("dim".to_owned(), field.dim.to_string()));
    let max_length = (field.max_length != 0).then(|| ("max_length".to_owned(), field.max_length.to_string()));
    FieldSchema {
        field_id: field.id,
        name: field.name.clone(),
        is_primary_key: field.primary_key,
        description: field.description.clone(),
        data_type: field.data_type.wire_number(),
        type_params: key_values(dim.into_iter().chain(max_length).chain(field.params.iter().cloned())),
        auto_id: field.auto_id,
        default_value: field.default.as_ref().map(|value| wire_value(value, field.data_type)),
        is_dynamic: field.is_dynamic,
        nullable: field.nullable,
        ..FieldSchema::default()
    }
}

fn wire_value(value: &Value, data_type: DataType) -> ValueField {
    let data = match value {
        Value::Null => None,
        Value::Bool(value) => Some(Data::BoolData(*value)),
        Value::Int(value) => match data_type {
            DataType::Float => Some(Data::FloatData(*value as f32)),
            DataType::Double => Some(Data::DoubleData(*value as f64)),
            DataType::Int64 => Some(Data::LongData(*value)),
            DataType::Bool
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::VarChar
            | DataType::Json
            | DataType::FloatVector
            | DataType::Float16Vector => i32::try_from(*value).ok().map(Data::IntData),
        },
        Value::Float(value) if data_type == DataType::Float => Some(Data::FloatData(*value as f32)),
        Value::Float(value) => Some(Data::DoubleData(*value)),
        Value::String(value) => Some(Data::StringData(value.clone())),
    };
    ValueField { data }
}

#[cfg(test)]
mod tests;
