//! What the tests across crates share: a small collection, a model of it, and waiting with a limit.

use elanus::{
    Collection, Column, ColumnData, CreateCollection, DataType, Db, Field, Insert, Keys, QueryRequest, Schema,
    ValuesView,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a collection holds: key to value.
pub type Model = BTreeMap<i64, i32>;

/// Fields `id`, `v` (4 floats) and `n` (the value that the model keeps).
pub fn schema() -> Schema {
    let fields = vec![
        Field::new("id", DataType::Int64).primary(),
        Field::new("v", DataType::FloatVector).dim(4),
        Field::new("n", DataType::Int32),
    ];
    Schema::new("", fields, false).expect("the schema is valid")
}

/// The rows of a model.
pub fn rows(model: &Model) -> Insert {
    let vectors = model.iter().flat_map(|(&id, &n)| [id as f32, n as f32, 1.0, 0.0]).collect();
    Insert {
        row_count: model.len(),
        columns: vec![
            ("id".into(), Column::full(ColumnData::Int64(model.keys().copied().collect()))),
            ("v".into(), Column::full(ColumnData::FloatVector { dim: 4, data: vectors })),
            ("n".into(), Column::full(ColumnData::Int32(model.values().copied().collect()))),
        ],
        ..Insert::default()
    }
}

/// Makes the collection `c` with an HNSW index, loaded.
///
/// # Errors
/// The engine's.
pub fn make(db: &Db) -> elanus::Result<Collection> {
    let collection = db.create_collection("", CreateCollection::new("c", schema()))?;
    let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "4"), ("efConstruction", "16")];
    collection.create_index("v", "", params.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec())?;
    collection.load(&[])?;
    Ok(collection)
}

/// Reads everything back.
///
/// # Errors
/// The engine's.
///
/// # Panics
/// If a key is there twice, or a vector is not that of its row.
pub fn read(collection: &Collection) -> elanus::Result<Model> {
    let request = QueryRequest { filter: "id >= 0".into(), output_fields: vec!["*".into()], ..QueryRequest::default() };
    let result = collection.query(&request)?;
    let column = |name: &str| result.fields.iter().find(|one| one.field.name == name).expect("the field is returned");
    let Some(Keys::Int(ids)) = Keys::from_column(column("id").column.view()) else { panic!("keys are integers") };
    let ValuesView::Int32(values) = column("n").column.view().values else { panic!("values are integers") };
    let Some(elanus_kernels::AnyRows::F32(vectors)) = column("v").column.view().vectors() else { panic!("no vectors") };
    let model: Model = ids.iter().copied().zip(values.iter().copied()).collect();
    assert_eq!(model.len(), ids.len(), "no key is there twice");
    for (row, (id, n)) in ids.iter().zip(values).enumerate() {
        assert_eq!(vectors.row(row), &[*id as f32, *n as f32, 1.0, 0.0], "the vector of row {id}");
    }
    assert_eq!(collection.row_count(), model.len() as u64, "the count is exact");
    Ok(model)
}

/// Waits until `done`, at most some twenty seconds.
///
/// # Panics
/// If it does not come.
pub fn wait(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("timed out: {what}");
}
