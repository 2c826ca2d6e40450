//! Tables for tests: rows of cells, kept beside the columns made of them.

use elanus_kernels::Bitmap;
use elanus_segment::{Batch, Block, Column, ColumnData, ColumnView, DataType, Field, Schema};

/// One value as a test writes it; JSON as its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

/// A block with its rows.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<Vec<Cell>>,
    batch: Batch,
    timestamps: Vec<u64>,
}

impl Table {
    pub(super) fn new(schema: &Schema, rows: Vec<Vec<Cell>>) -> Self {
        let columns = schema.fields.iter().enumerate();
        let columns = columns.map(|(at, field)| column(field, rows.iter().map(|row| &row[at]))).collect();
        let batch = Batch::new(schema, columns).expect("the cells fit the schema");
        Self { timestamps: vec![1; rows.len()], rows, batch }
    }
}

impl Block for Table {
    fn start(&self) -> u32 {
        0
    }

    fn timestamps(&self) -> &[u64] {
        &self.timestamps
    }

    fn column(&self, position: usize) -> ColumnView<'_> {
        self.batch.columns()[position].view()
    }
}

fn int(cell: &Cell) -> i64 {
    if let Cell::Int(value) = cell { *value } else { 0 }
}

fn float(cell: &Cell) -> f64 {
    if let Cell::Float(value) = cell { *value } else { 0.0 }
}

fn text(cell: &Cell) -> &str {
    if let Cell::Text(value) = cell { value } else { "" }
}

fn column<'a>(field: &Field, cells: impl Iterator<Item = &'a Cell> + Clone) -> Column {
    let data = match field.data_type {
        DataType::Bool => ColumnData::Bool(cells.clone().map(|cell| u8::from(*cell == Cell::Bool(true))).collect()),
        DataType::Int8 => ColumnData::Int8(cells.clone().map(|cell| int(cell) as i8).collect()),
        DataType::Int16 => ColumnData::Int16(cells.clone().map(|cell| int(cell) as i16).collect()),
        DataType::Int32 => ColumnData::Int32(cells.clone().map(|cell| int(cell) as i32).collect()),
        DataType::Int64 => ColumnData::Int64(cells.clone().map(int).collect()),
        DataType::Float => ColumnData::Float(cells.clone().map(|cell| float(cell) as f32).collect()),
        DataType::Double => ColumnData::Double(cells.clone().map(float).collect()),
        DataType::VarChar => ColumnData::VarChar(cells.clone().map(text).collect()),
        DataType::Json => ColumnData::Json(cells.clone().map(text).collect()),
        DataType::FloatVector | DataType::Float16Vector => {
            ColumnData::FloatVector { dim: 2, data: vec![0.5; 2 * cells.clone().count()] }
        }
    };
    let valid: Vec<bool> = cells.map(|cell| *cell != Cell::Null).collect();
    let validity = field.nullable.then(|| Bitmap::from_fn(valid.len(), |row| valid[row]));
    Column { data, validity }
}

pub(super) fn vector() -> Field {
    Field::new("v", DataType::FloatVector).dim(2)
}

/// Every scalar type, some of them nullable, with the dynamic field.
pub(super) fn schema() -> Schema {
    let fields = vec![
        Field::new("id", DataType::Int64).primary(),
        Field::new("tiny", DataType::Int8).nullable(),
        Field::new("short", DataType::Int16),
        Field::new("k", DataType::Int32),
        Field::new("n", DataType::Int64).nullable(),
        Field::new("price", DataType::Float).nullable(),
        Field::new("ratio", DataType::Double),
        Field::new("name", DataType::VarChar).max_length(64).nullable(),
        Field::new("tag", DataType::VarChar).max_length(64),
        Field::new("flag", DataType::Bool).nullable(),
        Field::new("ok", DataType::Bool),
        Field::new("doc", DataType::Json).nullable(),
        vector(),
    ];
    Schema::new("", fields, true).expect("the schema is valid")
}

/// Rows 0 to 19 with ids 100 to 119.
pub(super) fn fixed() -> Table {
    let names: [&str; 10] =
        ["apple", "Apple", "apricot", "banana", "50% off", "a_b", "", "\u{e9}clair", "zebra", "line\nbreak"];
    let tags: [&str; 4] = ["a", "b", "apple", "c"];
    let docs: [&str; 12] = [
        r#"{"a":1,"list":[1,2,3],"s":"red","deep":{"b":[10,20]}}"#,
        r#"{"a":"1","list":[],"s":"Red"}"#,
        r#"{"a":null,"list":"none"}"#,
        r#"{"b":true,"list":[1,"1",true,[1,2]]}"#,
        r#"{"a":1.5,"list":[3,2,1],"s":"reddish"}"#,
        r#"{"a":9007199254740993,"list":[2.0,9007199254740993]}"#,
        r#"{"a":[1,2],"list":[[1,2],[3]]}"#,
        r#"{"a":{"x":1},"s":5}"#,
        "{}",
        r#"{"a":-3,"b":false,"deep":{"b":[]}}"#,
        r#"{"a":18446744073709551615,"list":[null,1]}"#,
        r#"{"a":2.0,"key with \"quote\"":7}"#,
    ];
    let metas: [&str; 6] = [
        r#"{"color":"red","size":3}"#,
        r#"{"color":"green"}"#,
        r#"{"color":null,"size":"big"}"#,
        "{}",
        r#"{"size":7,"tags":["x","y"]}"#,
        r#"{"color":"blue","size":3.5,"nested":{"level":2}}"#,
    ];
    let numbers: [i64; 8] = [0, 1, 2, 3, 5, -7, i64::MAX, i64::MIN];
    let text = |value: &str| Cell::Text(value.to_owned());
    let row = |row: usize| {
        let null_if = |is_null: bool, cell: Cell| if is_null { Cell::Null } else { cell };
        vec![
            Cell::Int(100 + row as i64),
            null_if(row % 5 == 3, Cell::Int([-128, -1, 0, 1, 100, 127][row % 6])),
            Cell::Int([-32_768, 0, 7, 300, 32_767][row % 5]),
            Cell::Int(row as i64 % 4),
            null_if(row % 6 == 1, Cell::Int(numbers[row % 8])),
            null_if(row % 7 == 2, Cell::Float(row as f64 / 10.0)),
            Cell::Float([0.0, -0.0, 0.5, 9_007_199_254_740_992.0, -2.25][row % 5]),
            null_if(row == 13, text(names[row % 10])),
            text(tags[row % 4]),
            null_if(row % 4 == 3, Cell::Bool(row.is_multiple_of(2))),
            Cell::Bool(row.is_multiple_of(3)),
            null_if(row >= 18, text(docs[row % 12])),
            Cell::Float(0.0),
            text(metas[row % 6]),
        ]
    };
    Table::new(&schema(), (0..20).map(row).collect())
}
