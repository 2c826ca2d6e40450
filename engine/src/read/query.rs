//! Rows by a filter: queries, counts, and the keys that a delete takes.

use super::fetch::{self, OutputField, RowAt, Wanted};
use super::search::invalid;
use super::select;
use super::snapshot::{ReadAt, Snapshot};
use crate::collection::Collection;
use crate::error::{Error, Result, Subject};
use crate::expr::{self, Filter, Templates};
use elanus_kernels::Bitmap;
use elanus_segment::{Column, ColumnData, ColumnView, DataType, Field, KeyRef, Keys, Schema, ValuesView};
use rayon::prelude::*;
use std::collections::BTreeMap;

const COUNT: &str = "count(*)";
/// Bytes that a returned row has at least: its key.
const ROW_BYTES_MIN: usize = 8;

/// A query: rows for which a filter is true, by ascending primary key.
#[derive(Debug, Clone, Default)]
pub struct QueryRequest {
    /// Rows to return; empty: all, which needs a limit.
    pub filter: String,
    /// Values of the filter's templates.
    pub templates: Templates,
    /// Fields to return; `*` for all, `count(*)` alone for the number of rows. The primary key is always returned.
    pub output_fields: Vec<String>,
    /// Partitions; empty: all that are loaded.
    pub partitions: Vec<String>,
    /// Rows to return at most.
    pub limit: Option<usize>,
    /// Rows to skip.
    pub offset: usize,
    /// What the query must have seen.
    pub read_at: ReadAt,
    /// Whether rows in memory are left out.
    pub ignore_growing: bool,
    /// Whether this is a page of an iterator, which may leave the filter empty.
    pub iterator: bool,
}

/// What a query found.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryResult {
    /// The fields that were asked for, with the primary key.
    pub fields: Vec<OutputField>,
    /// Keys of the dynamic field that were asked for by name.
    pub dynamic_keys: Vec<String>,
    /// Rows.
    pub row_count: usize,
    /// Timestamp at which was read.
    pub read_ts: u64,
    /// Name of the primary key.
    pub primary_field: String,
}

impl Collection {
    /// Returns rows by a filter, each primary key once (the latest row of it), by ascending key.
    ///
    /// # Errors
    /// Names what is wrong: the filter with the position, a field, a limit; about `NotLoaded` if the collection is not
    /// loaded.
    pub fn query(&self, request: &QueryRequest) -> Result<QueryResult> {
        self.check()?;
        let schema = &self.state().schema;
        let filter = self.filter(request)?;
        let counts = request.output_fields.iter().any(|name| name.eq_ignore_ascii_case(COUNT));
        if counts && (request.output_fields.len() > 1 || request.limit.is_some() || request.offset > 0) {
            return Err(invalid("count(*) stands alone: no other field, no limit, no offset".into()));
        }
        let take = limit(request, self.inner().settings.limit_max, &filter, counts)?;
        let wanted = if counts { None } else { Some(Wanted::resolve(schema, &request.output_fields)?) };
        let snapshot = self.snapshot(request.read_at, &request.partitions, request.ignore_growing, true)?;
        let selected = self.select(&filter, &snapshot)?;
        let primary_field = schema.primary().name.clone();
        let Some(wanted) = wanted else {
            let field = count_field(&snapshot, &selected);
            return Ok(QueryResult {
                fields: vec![field],
                dynamic_keys: Vec::new(),
                row_count: 1,
                read_ts: snapshot.ts,
                primary_field,
            });
        };
        let bytes_max = self.inner().settings.output_bytes_max;
        let rows = ordered(schema, &snapshot, &selected, request.offset, take, bytes_max)?;
        let mut positions = wanted.positions;
        if !positions.contains(&schema.primary_position()) {
            positions.push(schema.primary_position());
            positions.sort_unstable();
        }
        Ok(QueryResult {
            fields: fetch::columns(schema, &snapshot.segments, &rows, &positions, bytes_max)?,
            dynamic_keys: wanted.dynamic_keys,
            row_count: rows.len(),
            read_ts: snapshot.ts,
            primary_field,
        })
    }

    /// The primary keys of the rows that a filter selects, whether the collection is loaded or not.
    pub(crate) fn keys_of(&self, request: &QueryRequest) -> Result<Keys> {
        let schema = &self.state().schema;
        let filter = self.filter(request)?;
        let snapshot = self.snapshot(request.read_at, &request.partitions, false, false)?;
        let selected = self.select(&filter, &snapshot)?;
        let rows: Vec<RowAt> = all_rows(&snapshot, &selected).collect();
        let mut keys = fetch::keys(schema, &snapshot.segments, &rows)?;
        keys.sort_dedup();
        Ok(keys)
    }

    fn filter(&self, request: &QueryRequest) -> Result<Filter> {
        expr::compile(&request.filter, &self.state().schema, &request.templates)
            .map_err(|source| Error::invalid(Subject::Expression, source.to_string()))
    }

    fn select(&self, filter: &Filter, snapshot: &Snapshot) -> Result<Vec<Option<Bitmap>>> {
        self.inner()
            .searchers
            .install(|| snapshot.segments.par_iter().map(|one| select::rows(&one.view, filter, snapshot.ts)).collect())
    }
}

fn limit(request: &QueryRequest, max: usize, filter: &Filter, counts: bool) -> Result<usize> {
    match request.limit {
        Some(limit) if limit == 0 || limit > max => {
            Err(invalid(format!("limit [{limit}] is invalid, it should be in range [1, {max}]")))
        }
        Some(limit) if limit.saturating_add(request.offset) > max && !request.iterator => {
            Err(invalid(format!("the sum of offset {} and limit {limit} is greater than {max}", request.offset)))
        }
        Some(limit) => Ok(limit),
        None if filter.is_all() && !counts && !request.iterator => {
            Err(invalid("an empty filter expression needs a limit".into()))
        }
        None => Ok(usize::MAX),
    }
}

fn count_field(snapshot: &Snapshot, selected: &[Option<Bitmap>]) -> OutputField {
    let counts = snapshot.segments.iter().zip(selected);
    let count: usize = counts.map(|(one, rows)| rows.as_ref().map_or(one.view.rows(), Bitmap::count_ones)).sum();
    OutputField {
        field: Field::new(COUNT, DataType::Int64),
        column: Column::full(ColumnData::Int64(vec![i64::try_from(count).unwrap_or(i64::MAX)])),
    }
}

fn all_rows(snapshot: &Snapshot, selected: &[Option<Bitmap>]) -> impl Iterator<Item = RowAt> {
    snapshot.segments.iter().zip(selected).zip(0_u32..).flat_map(|((one, rows), segment)| {
        let rows: Box<dyn Iterator<Item = usize>> = match rows {
            Some(rows) => Box::new(rows.iter_ones()),
            None => Box::new(0..one.view.rows()),
        };
        rows.filter_map(move |row| u32::try_from(row).ok().map(|row| RowAt { segment, row }))
    })
}

/// A page of the selected rows by ascending key, the latest row of each key.
///
/// Only as many keys as the page's end are kept, so that a page of a large collection needs little memory.
fn ordered(
    schema: &Schema,
    snapshot: &Snapshot,
    selected: &[Option<Bitmap>],
    offset: usize,
    take: usize,
    bytes_max: usize,
) -> Result<Vec<RowAt>> {
    let primary = schema.primary_position();
    let end = offset.saturating_add(take);
    let mut best: BTreeMap<KeyRef<'_>, (u64, RowAt)> = BTreeMap::new();
    for ((pinned, rows), segment) in snapshot.segments.iter().zip(selected).zip(0_u32..) {
        for block in pinned.view.blocks() {
            let keys = block.column(primary);
            for (at, (row, &ts)) in (block.start()..).zip(block.timestamps()).enumerate() {
                if rows.as_ref().is_some_and(|rows| !rows.get(row as usize)) {
                    continue;
                }
                let key = key_at(keys, at)?;
                if best.len() >= end && best.last_key_value().is_some_and(|(last, _)| *last < key) {
                    continue;
                }
                let latest = best.entry(key).or_insert((ts, RowAt { segment, row }));
                if ts >= latest.0 {
                    *latest = (ts, RowAt { segment, row });
                }
                if best.len() > end {
                    best.pop_last();
                }
                if best.len() > bytes_max / ROW_BYTES_MIN {
                    return Err(invalid(format!("more than {} rows: set a limit", bytes_max / ROW_BYTES_MIN)));
                }
            }
        }
    }
    Ok(best.into_values().skip(offset).map(|(_, at)| at).collect())
}

fn key_at<'a>(keys: ColumnView<'a>, row: usize) -> Result<KeyRef<'a>> {
    if let ValuesView::Int64(values) = keys.values {
        return Ok(KeyRef::Int(values[row]));
    }
    if let ValuesView::VarChar(values) = keys.values {
        return Ok(KeyRef::Str(values.get(row)));
    }
    Err(Error::internal("the primary key has no key type"))
}
