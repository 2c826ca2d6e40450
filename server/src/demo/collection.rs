//! The demo's collection: images with their kind.

use elanus::{
    Collection, Column, ColumnData, ConsistencyLevel, CreateCollection, DataType, Db, Field, IndexState, Insert, Keys,
    Queries, Schema, SearchRequest,
};
use elanus_datasets::Set;
use indicatif::ProgressBar;
use std::time::Duration;

/// The kinds of the labels 0 to 9.
const KINDS: [&str; 10] =
    ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
const BATCH: usize = 500;
const POLL: Duration = Duration::from_millis(20);

/// One hit of the filtered search.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) distance: f32,
}

pub(super) fn make(db: &Db) -> elanus::Result<Collection> {
    let fields = vec![
        Field::new("id", DataType::Int64).primary(),
        Field::new("image", DataType::FloatVector).dim(784),
        Field::new("kind", DataType::VarChar).max_length(16),
    ];
    let schema = Schema::new("Images of Fashion-MNIST", fields, false)
        .map_err(|error| elanus::Error::new(elanus::ErrorKind::Internal, elanus::Subject::Schema, error.to_string()))?;
    let request =
        CreateCollection { consistency: ConsistencyLevel::Strong, ..CreateCollection::new("fashion", schema) };
    db.create_collection("", request)
}

pub(super) fn fill(images: &Collection, set: &Set, bar: &ProgressBar) -> elanus::Result<()> {
    let kind = |row: usize| {
        let label =
            set.labels.as_ref().and_then(|labels| labels.get(row)).and_then(|&label| usize::try_from(label).ok());
        label.and_then(|label| KINDS.get(label)).copied().unwrap_or("unknown")
    };
    for from in (0..set.len()).step_by(BATCH) {
        let rows = from..(from + BATCH).min(set.len());
        let ids = rows.clone().filter_map(|row| i64::try_from(row).ok()).collect();
        let vectors = set.base[rows.start * set.dim..rows.end * set.dim].to_vec();
        images.insert(Insert {
            row_count: rows.len(),
            columns: vec![
                ("id".into(), Column::full(ColumnData::Int64(ids))),
                ("image".into(), Column::full(ColumnData::FloatVector { dim: set.dim, data: vectors })),
                ("kind".into(), Column::full(ColumnData::VarChar(rows.clone().map(kind).collect()))),
            ],
            ..Insert::default()
        })?;
        bar.set_position(rows.end as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

pub(super) fn index(images: &Collection, bar: &ProgressBar) -> elanus::Result<()> {
    let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "16"), ("efConstruction", "200")];
    images.create_index("image", "", params.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec())?;
    loop {
        let indexes = images.indexes();
        let Some(info) = indexes.first() else { break };
        bar.set_position(info.indexed_rows);
        match info.state {
            IndexState::InProgress => std::thread::park_timeout(POLL),
            IndexState::Finished => break,
            IndexState::Failed => {
                let text = format!("the index was not built: {}", info.failure);
                return Err(elanus::Error::new(elanus::ErrorKind::Internal, elanus::Subject::Index, text));
            }
        }
    }
    bar.finish_and_clear();
    images.load(&[])
}

/// A search for the nearest images to one vector.
pub(super) fn search(query: &[f32], limit: usize, ef: usize) -> SearchRequest {
    let mut request = SearchRequest::new(Queries::F32 { dim: query.len(), data: query.to_vec() });
    request.limit = limit;
    request.params = vec![("ef".to_owned(), ef.to_string())];
    request
}

pub(super) fn nearest(images: &Collection, query: &[f32], filter: &str) -> elanus::Result<Vec<Hit>> {
    let mut request = search(query, 5, 64);
    request.filter = filter.to_owned();
    request.output_fields = vec!["kind".to_owned()];
    let result = images.search(&request)?;
    let (Keys::Int(ids), Some(kinds)) = (&result.keys, result.fields.first()) else { return Ok(Vec::new()) };
    let elanus::ValuesView::VarChar(kinds) = kinds.column.view().values else { return Ok(Vec::new()) };
    let hits = ids.iter().zip(&result.scores).enumerate();
    Ok(hits.map(|(row, (&id, &distance))| Hit { id, kind: kinds.get(row).to_owned(), distance }).collect())
}
