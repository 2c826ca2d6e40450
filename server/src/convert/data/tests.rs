//! Columns go there and back, with rows that have no value, and bad data is named.

use super::{Kind, Scalar, Vector, column, columns, field_data, half_floats, ids, keys};
use crate::proto::schema::{
    BoolArray, FieldData, FloatArray, IDs, IntArray, JsonArray, LongArray, ScalarField, StringArray, VectorField,
};
use crate::status::{Code, Failure};
use elanus::{Bitmap, Column, ColumnData, DataType, F16, Field, Keys, OutputField, Schema, Strings, Value};

fn scalar(field: &Field, data: Scalar, valid_data: &[bool]) -> FieldData {
    FieldData {
        r#type: field.data_type.wire_number(),
        field_name: field.name.clone(),
        valid_data: valid_data.to_vec(),
        field: Some(Kind::Scalars(ScalarField { data: Some(data) })),
        ..FieldData::default()
    }
}

fn vector(field: &Field, dim: i64, data: Vector, valid_data: &[bool]) -> FieldData {
    FieldData {
        r#type: field.data_type.wire_number(),
        field_name: field.name.clone(),
        valid_data: valid_data.to_vec(),
        field: Some(Kind::Vectors(VectorField { dim, data: Some(data) })),
        ..FieldData::default()
    }
}

fn of(data_type: DataType) -> Field {
    Field::new("f", data_type)
}

fn floats(data: &[f32]) -> Vector {
    Vector::FloatVector(FloatArray { data: data.to_vec() })
}

fn reason(result: Result<Column, Failure>) -> String {
    let failure = result.unwrap_err();
    assert_eq!(failure.code(), Code::ParameterInvalid, "{failure}");
    assert!(failure.reason().contains("field f"), "{failure}");
    failure.reason().to_owned()
}

#[test]
fn scalars_without_a_value_are_left_out_of_requests() {
    let field = of(DataType::Int16).nullable();
    let data = scalar(&field, Scalar::IntData(IntArray { data: vec![7] }), &[false, true, false]);
    let got = column(&field, data, 3).unwrap();
    assert_eq!(got.data, ColumnData::Int16(vec![0, 7, 0]));
    assert_eq!(got.validity, Some(Bitmap::from_fn(3, |row| row == 1)));
}

#[test]
fn every_scalar_slot() {
    let one = |data_type, slot| column(&of(data_type), scalar(&of(data_type), slot, &[]), 2).unwrap().data;
    let ints = || Scalar::IntData(IntArray { data: vec![-5, 6] });
    assert_eq!(
        one(DataType::Bool, Scalar::BoolData(BoolArray { data: vec![true, false] })),
        ColumnData::Bool(vec![1, 0])
    );
    assert_eq!(one(DataType::Int8, ints()), ColumnData::Int8(vec![-5, 6]));
    assert_eq!(one(DataType::Int32, ints()), ColumnData::Int32(vec![-5, 6]));
    let longs = Scalar::LongData(LongArray { data: vec![i64::MIN, 1] });
    assert_eq!(one(DataType::Int64, longs), ColumnData::Int64(vec![i64::MIN, 1]));
    let texts = Scalar::StringData(StringArray { data: vec!["a".into(), String::new()] });
    assert_eq!(one(DataType::VarChar, texts), ColumnData::VarChar(Strings::from_iter(["a", ""])));
    let json = Scalar::JsonData(JsonArray { data: vec![b"{}".to_vec(), b"[1]".to_vec()] });
    assert_eq!(one(DataType::Json, json), ColumnData::Json(Strings::from_iter(["{}", "[1]"])));
}

#[test]
fn strings_without_a_value_are_spread_too() {
    let field = of(DataType::VarChar).nullable();
    let texts = Scalar::StringData(StringArray { data: vec!["x".into(), "y".into()] });
    let got = column(&field, scalar(&field, texts, &[true, false, true]), 3).unwrap();
    assert_eq!(got.data, ColumnData::VarChar(Strings::from_iter(["x", "", "y"])));
}

#[test]
fn vectors_without_a_value_are_spread_and_compacted() {
    let field = of(DataType::FloatVector).dim(2).nullable();
    let got = column(&field, vector(&field, 2, floats(&[1.0, 2.0, 3.0, 4.0]), &[true, false, true]), 3).unwrap();
    assert_eq!(got.data, ColumnData::FloatVector { dim: 2, data: vec![1.0, 2.0, 0.0, 0.0, 3.0, 4.0] });
    let told = field_data(OutputField { field, column: got });
    assert_eq!(told.valid_data, [true, false, true]);
    let Some(Kind::Vectors(vectors)) = told.field else { panic!("no vectors") };
    assert_eq!((vectors.dim, vectors.data), (2, Some(floats(&[1.0, 2.0, 3.0, 4.0]))));
}

#[test]
fn a_column_without_any_value_needs_no_data() {
    let field = of(DataType::FloatVector).dim(4).nullable();
    let none = [
        vector(&field, 0, floats(&[]), &[false, false]),
        FieldData { field: None, ..vector(&field, 0, floats(&[]), &[false, false]) },
    ];
    for data in none {
        let got = column(&field, data, 2).unwrap();
        assert_eq!(got.data, ColumnData::FloatVector { dim: 4, data: vec![0.0; 8] });
        assert_eq!(got.validity.unwrap().count_ones(), 0);
    }
}

#[test]
fn half_floats_come_as_bytes_or_as_floats() {
    let field = of(DataType::Float16Vector).dim(2);
    let bytes = Vector::Float16Vector(vec![0x00, 0x3c, 0x00, 0xc0]);
    let got = column(&field, vector(&field, 2, bytes, &[]), 1).unwrap();
    assert_eq!(got.data, ColumnData::Float16Vector { dim: 2, data: vec![F16::from_f32(1.0), F16::from_f32(-2.0)] });
    let told = field_data(OutputField { field: field.clone(), column: got });
    let Some(Kind::Vectors(vectors)) = told.field else { panic!("no vectors") };
    assert_eq!(vectors.data, Some(Vector::Float16Vector(vec![0x00, 0x3c, 0x00, 0xc0])));
    let got = column(&field, vector(&field, 2, floats(&[1.0, 2.0]), &[]), 1).unwrap();
    assert_eq!(got.data, ColumnData::FloatVector { dim: 2, data: vec![1.0, 2.0] });
    let odd = vector(&field, 2, Vector::Float16Vector(vec![0; 3]), &[]);
    assert!(reason(column(&field, odd, 1)).contains("odd"));
    assert_eq!(half_floats(&[1, 2, 3]), None);
}

#[test]
fn scalars_of_replies_are_indexed_by_row() {
    let field = of(DataType::Int64).nullable();
    let given = Column { data: ColumnData::Int64(vec![1, 0, 3]), validity: Some(Bitmap::from_fn(3, |row| row != 1)) };
    let told = field_data(OutputField { field, column: given });
    assert_eq!(told.valid_data, [true, false, true]);
    let Some(Kind::Scalars(ScalarField { data: Some(Scalar::LongData(values)) })) = told.field else {
        panic!("no numbers")
    };
    assert_eq!(values.data, [1, 0, 3]);
    let field = of(DataType::Json).nullable();
    let given = Column {
        data: ColumnData::Json(Strings::from_iter(["{}", ""])),
        validity: Some(Bitmap::from_fn(2, |row| row == 0)),
    };
    let Some(Kind::Scalars(ScalarField { data: Some(Scalar::JsonData(values)) })) =
        field_data(OutputField { field, column: given }).field
    else {
        panic!("no JSON")
    };
    assert_eq!(values.data, [b"{}".to_vec(), b"null".to_vec()]);
}

#[test]
fn a_column_of_a_field_that_is_never_null_has_no_validity() {
    let told =
        field_data(OutputField { field: of(DataType::Bool), column: Column::full(ColumnData::Bool(vec![1, 0])) });
    assert!(told.valid_data.is_empty());
    assert_eq!((told.r#type, told.field_name.as_str()), (1, "f"));
}

#[test]
fn lengths_types_and_dimensions_must_fit() {
    let int = of(DataType::Int8);
    let ints = |data: &[i32]| Scalar::IntData(IntArray { data: data.to_vec() });
    assert!(reason(column(&int, scalar(&int, ints(&[1, 2]), &[]), 3)).contains("2 values"));
    assert!(reason(column(&int, scalar(&int, ints(&[1]), &[true, true]), 3)).contains("valid_data has 2 rows"));
    assert!(reason(column(&int, scalar(&int, ints(&[1, 2, 3]), &[true, false, true]), 3)).contains("3 values"));
    assert!(reason(column(&int, scalar(&int, ints(&[1, 128]), &[]), 2)).contains("value 1 is 128"));
    assert!(reason(column(&int, scalar(&of(DataType::Int64), ints(&[1]), &[]), 1)).contains("request has Int64"));
    let long = scalar(&int, Scalar::LongData(LongArray { data: vec![1] }), &[]);
    assert!(reason(column(&int, long, 1)).contains("as another type"));
    let text = of(DataType::Json);
    assert!(
        reason(column(&text, scalar(&text, Scalar::JsonData(JsonArray { data: vec![vec![0xff]] }), &[]), 1))
            .contains("UTF-8")
    );
    let vec = of(DataType::FloatVector).dim(4);
    assert!(reason(column(&vec, vector(&vec, 3, floats(&[0.0; 3]), &[]), 1)).contains("dim 4, the request has 3"));
    assert!(reason(column(&vec, vector(&vec, 4, floats(&[0.0; 5]), &[]), 1)).contains("whole vectors"));
    assert!(reason(column(&vec, vector(&vec, 4, floats(&[0.0; 8]), &[]), 1)).contains("2 values"));
    assert!(reason(column(&vec, vector(&vec, -4, floats(&[0.0; 4]), &[]), 1)).contains("-4"));
    let half = vector(&vec, 4, Vector::Float16Vector(vec![0; 8]), &[]);
    assert!(reason(column(&vec, half, 1)).contains("as another type"));
    let empty = FieldData { field: None, ..scalar(&int, ints(&[]), &[]) };
    assert!(reason(column(&int, empty, 1)).contains("no data"));
}

fn schema(dynamic: bool) -> Schema {
    let fields = vec![Field::new("id", DataType::Int64).primary(), Field::new("vec", DataType::FloatVector).dim(2)];
    Schema::new("", fields, dynamic).unwrap()
}

#[test]
fn fields_are_found_by_name_and_the_dynamic_one_by_its_mark() {
    let json = Field { is_dynamic: true, ..Field::new("", DataType::Json) };
    let dynamic = || FieldData {
        is_dynamic: true,
        ..scalar(&json, Scalar::JsonData(JsonArray { data: vec![b"{}".to_vec()] }), &[])
    };
    let got = columns(&schema(true), vec![dynamic()], 1).unwrap();
    assert_eq!(got[0].0, "$meta");
    assert!(columns(&schema(false), vec![dynamic()], 1).unwrap_err().reason().contains("dynamic"));
    assert!(columns(&schema(true), vec![dynamic(), dynamic()], 1).unwrap_err().reason().contains("twice"));
    let unknown = scalar(&of(DataType::Bool), Scalar::BoolData(BoolArray { data: vec![true] }), &[]);
    assert_eq!(columns(&schema(true), vec![unknown], 1).unwrap_err().code(), Code::FieldNotFound);
}

/// The failure of one Bool column with a value in every row beside what the schema has as well.
fn too_large(more: Field, sent: Option<FieldData>, rows: usize) -> Failure {
    let mut fields = schema(false).fields;
    fields.extend([more, of(DataType::Bool)]);
    let whole = scalar(&of(DataType::Bool), Scalar::BoolData(BoolArray { data: vec![true; rows] }), &[]);
    let schema = Schema { fields, ..schema(false) };
    let id = scalar(&schema.fields[0], Scalar::LongData(LongArray { data: vec![1; rows] }), &[]);
    let vec = vector(&schema.fields[1], 2, floats(&vec![0.0; 2 * rows]), &[]);
    columns(&schema, [whole, id, vec].into_iter().chain(sent).collect(), rows).unwrap_err()
}

#[test]
fn rows_without_a_value_that_would_fill_the_memory_are_refused_by_name() {
    let wide = Field { name: "wide".into(), ..of(DataType::FloatVector).dim(32_768).nullable() };
    let nulls = |rows| vector(&wide, 0, floats(&[]), &vec![false; rows]);
    let long = Field { name: "long".into(), default: Some(Value::String("x".repeat(65_535))), ..of(DataType::VarChar) };
    for (field, sent) in [(wide.clone(), Some(nulls(3000))), (wide.clone(), None), (long, None)] {
        let name = field.name.clone();
        let failure = too_large(field, sent, 3000 * if name == "long" { 2 } else { 1 });
        assert_eq!(failure.code(), Code::ParameterTooLarge, "{failure}");
        assert!(failure.reason().contains(&format!("field {name}")), "{failure}");
    }
    // Fillers add up over the fields: three of these columns are just as large as allowed.
    let rows = (256 << 20) / 24;
    let longs = [1, 2, 3].map(|number| Field { name: format!("n{number}"), ..of(DataType::Int64).nullable() });
    let mut schema = Schema { fields: longs.to_vec(), ..schema(false) };
    let failure = columns(&schema, Vec::new(), rows + 1).unwrap_err();
    assert_eq!(failure.code(), Code::ParameterTooLarge, "{failure}");
    assert!(failure.reason().contains("field n3"), "{failure}");
    assert!(columns(&schema, Vec::new(), rows).unwrap().is_empty());
    schema.fields.pop();
    assert!(columns(&schema, Vec::new(), rows + 1).unwrap().is_empty());
    // A few such rows are no trouble.
    let got = column(&wide, nulls(3), 3).unwrap();
    assert_eq!(got.len(), 3);
}

#[test]
fn keys_go_there_and_back() {
    for given in [Keys::Int(vec![1, -2]), Keys::Str(vec!["a".into()])] {
        assert_eq!(keys(ids(given.clone())).unwrap(), given);
    }
    assert_eq!(keys(IDs { id_field: None }).unwrap_err().code(), Code::ParameterMissing);
}
