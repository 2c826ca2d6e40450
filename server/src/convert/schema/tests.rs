//! Schemas go there and back, and what is not supported is refused by name.

use super::{Data, FieldSchema, ValueField, decode, encode};
use crate::proto::common::KeyValuePair;
use crate::proto::schema::{CollectionSchema, FunctionSchema, StructArrayFieldSchema};
use crate::status::{Code, Failure};
use elanus::{CollectionInfo, ConsistencyLevel, DataType, Schema, Value};
use prost::Message;
use std::sync::Arc;

fn param(key: &str, value: &str) -> KeyValuePair {
    KeyValuePair { key: key.into(), value: value.into() }
}

fn key() -> FieldSchema {
    FieldSchema { name: "id".into(), data_type: 5, is_primary_key: true, ..FieldSchema::default() }
}

fn vector() -> FieldSchema {
    FieldSchema { name: "vec".into(), data_type: 101, type_params: vec![param("dim", "8")], ..FieldSchema::default() }
}

fn schema(fields: Vec<FieldSchema>) -> CollectionSchema {
    CollectionSchema { name: "c".into(), description: "about".into(), fields, ..CollectionSchema::default() }
}

fn decoded(wire: &CollectionSchema) -> Result<Schema, Failure> {
    decode(&wire.encode_to_vec()).map(|(_, schema)| schema)
}

fn refusal(field: FieldSchema) -> String {
    decoded(&schema(vec![key(), vector(), field])).unwrap_err().reason().to_owned()
}

#[test]
fn a_schema_comes_back_as_it_was_given() {
    let text = FieldSchema {
        name: "text".into(),
        data_type: 21,
        nullable: true,
        default_value: Some(ValueField { data: Some(Data::StringData("none".into())) }),
        type_params: vec![param("max_length", "64"), param("mmap.enabled", "true"), param("enable_match", "false")],
        ..FieldSchema::default()
    };
    let mut wire = schema(vec![key(), vector(), text]);
    wire.enable_dynamic_field = true;
    let schema = decoded(&wire).unwrap();
    assert_eq!(schema.fields.len(), 4);
    assert_eq!(schema.field("vec").unwrap().dim, 8);
    assert_eq!(schema.field("text").unwrap().default, Some(Value::String("none".into())));
    let told = encode(&info(schema));
    assert!(told.enable_dynamic_field);
    let names: Vec<&str> = told.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["id", "vec", "text"], "the dynamic field is not told");
    assert_eq!(told.fields.iter().map(|field| field.field_id).collect::<Vec<_>>(), [100, 101, 102]);
    assert_eq!(told.fields[1].type_params, [param("dim", "8")]);
    assert_eq!(told.fields[2].type_params, [param("max_length", "64"), param("mmap.enabled", "true")]);
    assert_eq!(told.fields[2].default_value.as_ref().unwrap().data, Some(Data::StringData("none".into())));
    assert_eq!(told.description, "about");
}

fn info(schema: Schema) -> CollectionInfo {
    CollectionInfo {
        id: 1,
        database: "default".into(),
        database_id: 1,
        name: "c".into(),
        schema: Arc::new(schema),
        consistency: ConsistencyLevel::Bounded,
        shard_count: 1,
        properties: Vec::new(),
        aliases: Vec::new(),
        created_ts: 0,
        update_ts: 0,
        partition_count: 1,
    }
}

#[test]
fn defaults_come_back_in_the_slot_of_the_fields_type() {
    let slots = [
        (1, Data::BoolData(true)),
        (2, Data::IntData(-3)),
        (4, Data::IntData(70_000)),
        (5, Data::LongData(1 << 40)),
        (10, Data::FloatData(0.25)),
        (11, Data::DoubleData(0.1)),
    ];
    for (data_type, data) in slots {
        let default_value = Some(ValueField { data: Some(data.clone()) });
        let field = FieldSchema { name: "f".into(), data_type, default_value, ..FieldSchema::default() };
        let told = encode(&info(decoded(&schema(vec![key(), vector(), field])).unwrap()));
        assert_eq!(told.fields[2].default_value.as_ref().unwrap().data, Some(data));
    }
}

#[test]
fn auto_id_of_the_collection_is_that_of_its_key() {
    let mut wire = schema(vec![key(), vector()]);
    wire.auto_id = true;
    let schema = decoded(&wire).unwrap();
    assert!(schema.primary().auto_id);
    assert!(!schema.field("vec").unwrap().auto_id);
}

#[test]
fn types_that_are_not_supported_are_named() {
    for (number, name) in [(22, "Array"), (24, "Geometry"), (100, "BinaryVector"), (104, "SparseFloatVector")] {
        let field = FieldSchema { name: "f".into(), data_type: number, ..FieldSchema::default() };
        assert_eq!(refusal(field), format!("field f: data type {name} is not supported"));
    }
    let field = FieldSchema { name: "f".into(), data_type: 77, ..FieldSchema::default() };
    assert_eq!(refusal(field), "field f: 77 is no data type");
    let field = FieldSchema { name: "f".into(), data_type: 0, ..FieldSchema::default() };
    assert!(refusal(field).contains("None is not supported"));
}

#[test]
fn features_that_are_not_supported_are_named() {
    let plain = || FieldSchema { name: "f".into(), data_type: 5, ..FieldSchema::default() };
    assert!(refusal(FieldSchema { is_partition_key: true, ..plain() }).contains("field f: a partition key"));
    assert!(refusal(FieldSchema { is_clustering_key: true, ..plain() }).contains("a clustering key"));
    assert!(refusal(FieldSchema { external_field: "x".into(), ..plain() }).contains("an external field"));
    let analysed = vec![param("enable_analyzer", "true")];
    assert!(refusal(FieldSchema { type_params: analysed, ..plain() }).contains("enable_analyzer"));
    let unknown = vec![param("shininess", "3")];
    assert!(refusal(FieldSchema { type_params: unknown, ..plain() }).contains("shininess"));
    let mut wire = schema(vec![key(), vector()]);
    wire.functions = vec![FunctionSchema::default()];
    assert_eq!(decoded(&wire).unwrap_err().code(), Code::Unimplemented);
    let mut wire = schema(vec![key(), vector()]);
    wire.struct_array_fields = vec![StructArrayFieldSchema::default()];
    assert!(decoded(&wire).unwrap_err().reason().contains("struct array"));
    let mut wire = schema(vec![key(), vector()]);
    wire.enable_namespace = true;
    assert!(decoded(&wire).unwrap_err().reason().contains("enable_namespace"));
}

#[test]
fn rules_of_the_schema_reach_the_client() {
    assert_eq!(decoded(&schema(vec![vector()])).unwrap_err().code(), Code::CollectionSchema);
    let bad = |name: &str, value: &str| {
        let field = FieldSchema { type_params: vec![param(name, value)], ..vector() };
        decoded(&schema(vec![key(), field])).unwrap_err().reason().to_owned()
    };
    assert!(bad("dim", "-1").contains("dim"));
    assert!(bad("dim", "1e3").contains("dim"));
    assert!(bad("dim", "99999999999999999999").contains("dim"));
    assert!(bad("dim", "40000").contains("40000"));
    assert!(bad("max_length", "3").contains("max_length"));
}

#[test]
fn bytes_that_are_no_schema_are_an_error() {
    assert_eq!(decode(b"\xff\xff\xff").unwrap_err().code(), Code::CollectionSchema);
    assert_eq!(decode(b"").unwrap_err().code(), Code::CollectionSchema, "a schema without a field");
    let whole = schema(vec![key(), vector()]).encode_to_vec();
    for end in 0..whole.len() {
        if let Ok((_, schema)) = decode(&whole[..end]) {
            schema.validate().unwrap();
        }
    }
}

#[test]
fn every_supported_type_is_known_by_its_number() {
    for &data_type in elanus::DATA_TYPES {
        assert_eq!(super::data_type(data_type.wire_number(), "f").unwrap(), data_type);
        let told = super::WireType::try_from(data_type.wire_number()).unwrap();
        assert_eq!(told.as_str_name().to_lowercase(), data_type.name().to_lowercase());
    }
    assert_eq!(super::data_type(102, "f").unwrap(), DataType::Float16Vector);
}
