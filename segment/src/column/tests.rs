//! Tests of columns and batches.

use super::*;
use crate::schema::Value;

fn schema() -> Schema {
    let fields = vec![
        Field::new("id", DataType::Int64).primary(),
        Field::new("name", DataType::VarChar).max_length(16).nullable(),
        Field::new("v", DataType::FloatVector).dim(2).nullable(),
    ];
    Schema::new("", fields, false).unwrap()
}

fn batch() -> Batch {
    let schema = schema();
    let mut columns: Vec<_> = schema.fields.iter().map(Column::empty).collect();
    for row in 0..70_i64 {
        assert!(columns[0].push_value(&Value::Int(row)));
        if row % 3 == 0 {
            columns[1].push_null();
            columns[2].push_null();
        } else {
            assert!(columns[1].push_value(&Value::String(format!("row {row}"))));
            let one = Column::full(ColumnData::FloatVector { dim: 2, data: vec![row as f32, 1.0] });
            columns[2].push_from(one.view(), 0);
        }
    }
    Batch::new(&schema, columns).unwrap()
}

#[test]
fn keeps_nulls_when_rows_are_copied() {
    let whole = batch();
    let mut copy = Batch::empty(&schema());
    copy.append(&whole);
    copy.append(&whole);
    let mut by_row = Batch::empty(&schema());
    for _ in 0..2 {
        for row in 0..whole.len() {
            for (to, from) in by_row.columns.iter_mut().zip(whole.columns()) {
                to.push_from(from.view(), row);
            }
        }
    }
    by_row.len = 140;
    assert_eq!(copy, by_row);
    let names = copy.columns()[1].view();
    assert!(!names.is_valid(70) && names.is_valid(71));
    let ValuesView::VarChar(text) = names.values else { panic!("not text") };
    assert_eq!(text.get(71), "row 1");
}

#[test]
fn refuses_values_of_another_type() {
    let mut column = Column::full(ColumnData::Int8(vec![]));
    assert!(!column.push_value(&Value::Int(128)));
    assert!(!column.push_value(&Value::String("x".into())));
    assert!(column.push_value(&Value::Int(-128)));
    assert_eq!(column.len(), 1);
}

#[test]
fn refuses_columns_that_do_not_fit() {
    let schema = schema();
    let good = batch().columns;
    let with = |at: usize, column: Column| {
        let mut columns = good.clone();
        columns[at] = column;
        Batch::new(&schema, columns).unwrap_err().to_string()
    };
    assert!(with(0, good[1].clone()).contains("field id is Int64"));
    let wide = ColumnData::FloatVector { dim: 3, data: vec![0.0; 210] };
    assert!(with(2, Column::full(wide)).contains("dim 3"));
    let mut null = good[0].clone();
    null.validity = Some(Bitmap::new(70));
    assert!(with(0, null).contains("not nullable"));
    let mut short = good[1].clone();
    short.push_null();
    assert!(with(1, short).contains("71 rows"));
}

#[test]
fn string_offsets_are_checked() {
    assert!(StringsView::new(&[0, 2], "\u{e9}".as_bytes()).is_some());
    assert!(StringsView::new(&[0, 1, 2], "\u{e9}".as_bytes()).is_none());
    assert!(StringsView::new(&[0, 3], b"ab").is_none());
    assert!(StringsView::new(&[], b"").is_none());
    assert!(StringsView::new(&[0, 2, 1, 2], b"ab").is_none());
}
