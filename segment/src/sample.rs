//! Seeded rows of every type, and the plain model that segments are compared with.

use crate::block::Block;
use crate::column::{Batch, Column, ColumnData, Strings};
use crate::key::{KeyRef, Keys};
use crate::schema::{DataType, Field, Schema, Value};
use crate::view::View;
use elanus_kernels::F16;
use elanus_kernels::rng::Rng;
use std::sync::Arc;

/// A schema with a field of every type, some nullable.
pub(crate) fn schema(key: DataType) -> Arc<Schema> {
    let mut id = Field::new("id", key).primary();
    if key == DataType::VarChar {
        id = id.max_length(40);
    }
    let fields = vec![
        Field::new("flag", DataType::Bool).nullable(),
        Field::new("tiny", DataType::Int8),
        Field::new("short", DataType::Int16).nullable(),
        id,
        Field::new("int", DataType::Int32),
        Field::new("long", DataType::Int64).nullable(),
        Field::new("float", DataType::Float),
        Field::new("double", DataType::Double).nullable(),
        Field::new("name", DataType::VarChar).max_length(100).nullable(),
        Field::new("v", DataType::FloatVector).dim(3),
        Field::new("h", DataType::Float16Vector).dim(5).nullable(),
    ];
    Arc::new(Schema::new("everything", fields, true).unwrap())
}

/// Rows with these keys, numbers that become text for a VarChar key.
pub(crate) fn batch(schema: &Schema, keys: &[i64], rng: &mut Rng) -> Batch {
    let column = |field: &Field| {
        let mut column = Column::empty(field);
        for &key in keys {
            if field.nullable && rng.below(4) == 0 {
                column.push_null();
            } else {
                push(&mut column, field, key, rng);
            }
        }
        column
    };
    Batch::new(schema, schema.fields.iter().map(column).collect()).unwrap()
}

fn push(column: &mut Column, field: &Field, key: i64, rng: &mut Rng) {
    let dim = field.dim as usize;
    let random = rng.next_u64() as i64;
    let value = match field.data_type {
        _ if field.primary_key => match key_text(key, field.data_type) {
            Some(text) => Value::String(text),
            None => Value::Int(key),
        },
        DataType::Bool => Value::Bool(random & 1 == 1),
        DataType::Int8 => Value::Int(i64::from(random as i8)),
        DataType::Int16 => Value::Int(i64::from(random as i16)),
        DataType::Int32 => Value::Int(i64::from(random as i32)),
        DataType::Int64 => Value::Int(random),
        DataType::Float | DataType::Double => Value::Float(f64::from(rng.next_f32())),
        DataType::VarChar => Value::String("\u{e9}".repeat(random as usize % 9)),
        DataType::Json => {
            let text: Strings = [format!("{{\"n\":{random}}}")].into_iter().collect();
            return column.push_from(Column::full(ColumnData::Json(text)).view(), 0);
        }
        DataType::FloatVector => {
            let data = (0..dim).map(|_| rng.normal()).collect();
            return column.push_from(Column::full(ColumnData::FloatVector { dim, data }).view(), 0);
        }
        DataType::Float16Vector => {
            let data = (0..dim).map(|_| F16::from_f32(rng.normal())).collect();
            return column.push_from(Column::full(ColumnData::Float16Vector { dim, data }).view(), 0);
        }
    };
    assert!(column.push_value(&value));
}

fn key_text(key: i64, data_type: DataType) -> Option<String> {
    (data_type == DataType::VarChar).then(|| format!("k{key}-{}", "x".repeat(key as usize % 7)))
}

/// Keys of these numbers, as `batch` makes them.
pub(crate) fn keys(schema: &Schema, numbers: &[i64]) -> Keys {
    let data_type = schema.primary().data_type;
    let mut keys = Keys::empty(data_type).unwrap();
    for &number in numbers {
        let text = key_text(number, data_type);
        assert!(keys.push(text.as_deref().map_or(KeyRef::Int(number), KeyRef::Str)));
    }
    keys
}

/// One row of each column.
pub(crate) type Row = Vec<Column>;

/// A row of a view.
pub(crate) fn row_of(view: &View, schema: &Schema, row: u32) -> Row {
    let (block, place) = view.block_of(row);
    row_of_block(block, schema, place)
}

fn row_of_block(block: &dyn Block, schema: &Schema, place: usize) -> Row {
    let copy = |(position, field): (usize, &Field)| {
        let mut column = Column::empty(field);
        column.push_from(block.column(position), place);
        column
    };
    schema.fields.iter().enumerate().map(copy).collect()
}

#[derive(Debug, Clone)]
pub(crate) struct ModelRow {
    pub(crate) key: i64,
    pub(crate) ts: u64,
    pub(crate) deleted: Option<u64>,
    pub(crate) values: Row,
}

impl ModelRow {
    pub(crate) fn is_visible(&self, ts: u64) -> bool {
        self.ts <= ts && self.deleted.is_none_or(|at| at > ts)
    }
}

/// A segment as a list of rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) rows: Vec<ModelRow>,
}

impl Model {
    pub(crate) fn append(&mut self, keys: &[i64], batch: &Batch, schema: &Schema, ts: u64) {
        for (place, &key) in keys.iter().enumerate() {
            let copy = |(field, from): (&Field, &Column)| {
                let mut column = Column::empty(field);
                column.push_from(from.view(), place);
                column
            };
            let values = schema.fields.iter().zip(batch.columns()).map(copy).collect();
            self.rows.push(ModelRow { key, ts, deleted: None, values });
        }
    }

    pub(crate) fn delete(&mut self, keys: &[i64], ts: u64) -> usize {
        let hit = |row: &&mut ModelRow| keys.contains(&row.key) && row.ts < ts && row.deleted.is_none();
        self.rows.iter_mut().filter(hit).map(|row| row.deleted = Some(ts)).count()
    }

    /// Checks all that a view says of one time.
    pub(crate) fn check(&self, view: &View, schema: &Schema, ts: u64) {
        assert_eq!(view.rows(), self.rows.len());
        assert_eq!(view.rows_until(ts), self.rows.iter().filter(|row| row.ts <= ts).count());
        let seen: Vec<usize> = (0..self.rows.len()).filter(|&row| self.rows[row].is_visible(ts)).collect();
        match view.visible(ts) {
            Some(bits) => {
                assert_eq!(bits.len(), self.rows.len());
                assert_eq!(bits.iter_ones().collect::<Vec<_>>(), seen);
                assert!(seen.len() < self.rows.len(), "a bitmap of all rows is not made");
            }
            None => assert_eq!(seen.len(), self.rows.len()),
        }
        assert_eq!(view.count_visible(ts), seen.len());
        let greatest = self.rows.iter().map(|row| row.key).max().unwrap_or(0);
        let numbers: Vec<i64> = (0..=greatest + 1).collect();
        for (key, &number) in keys(schema, &numbers).iter().zip(&numbers) {
            let mut want: Vec<u32> = Vec::new();
            want.extend(seen.iter().rev().filter(|&&row| self.rows[row].key == number).map(|&row| row as u32));
            assert_eq!(view.lookup(key, ts), want, "key {key} at {ts}");
            assert_eq!(view.lookup_newest(key, ts), want.first().copied());
        }
    }

    /// Checks values and timestamps of all rows.
    pub(crate) fn check_values(&self, view: &View, schema: &Schema) {
        assert_eq!(view.rows(), self.rows.len());
        assert_eq!(view.blocks().iter().map(|block| block.len()).sum::<usize>(), self.rows.len());
        for (row, want) in (0..).zip(&self.rows) {
            assert_eq!(row_of(view, schema, row), want.values, "row {row}");
            assert_eq!(view.timestamp(row), want.ts, "row {row}");
        }
        for block in view.blocks() {
            assert!((0..schema.fields.len()).all(|position| block.column(position).len() == block.len()));
        }
    }
}
