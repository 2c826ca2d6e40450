//! What a search needs to know before it touches a segment.

use super::{Queries, SearchRequest, invalid};
use crate::catalog::IndexRecord;
use crate::collection::Collection;
use crate::error::{Error, Result, Subject};
use crate::expr::{self, Filter};
use crate::read::snapshot::Snapshot;
use elanus_index::{IndexFactory, KeyRange, ParamSet, Stage};
use elanus_kernels::{AnyRows, F16, Metric};
use elanus_segment::{Column, ColumnData, DataType, Field, Schema};
use std::sync::Arc;

/// A checked search.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) schema: Arc<Schema>,
    pub(crate) position: usize,
    pub(crate) metric: Metric,
    factory: &'static dyn IndexFactory,
    pub(crate) filter: Filter,
    pub(crate) range: KeyRange,
    /// Hits to find for each query, the skipped ones included.
    pub(crate) k: usize,
    /// A page of an iterator is searched exactly, and closed with every hit of its last score.
    pub(crate) iterator: bool,
    results_max: usize,
    queries_max: usize,
}

/// Queries in the field's element type.
#[derive(Debug)]
pub(crate) struct BoundQueries(Column);

impl BoundQueries {
    pub(crate) fn rows(&self) -> Result<AnyRows<'_>> {
        self.0.view().vectors().ok_or_else(|| Error::internal("queries are vectors"))
    }
}

impl Plan {
    pub(crate) fn new(collection: &Collection, request: &SearchRequest) -> Result<Self> {
        let schema = Arc::clone(&collection.state().schema);
        let settings = &collection.inner().settings;
        let position = vector_position(&schema, &request.field)?;
        let record = collection.state().record();
        let field = &schema.fields[position];
        let index = record.indexes.iter().find(|one| one.field_id == field.id).ok_or_else(|| {
            Error::not_found(
                Subject::Index,
                format!("there is no vector index on field: [{}], please create index firstly", field.name),
            )
        })?;
        let metric = metric_of(index, request)?;
        let factory = elanus_index::find(&index.index_type)
            .ok_or_else(|| Error::internal(format!("index type {} is gone", index.index_type)))?;
        elanus_index::parse(factory.params(), Stage::Search, &request.params).map_err(|source| {
            Error::invalid(Subject::IndexParameter, "invalid search parameter").with_source(source)
        })?;
        let filter = expr::compile(&request.filter, &schema, &request.templates).map_err(expression_error)?;
        let mut range = range(metric, request)?;
        let k = match request.iterator {
            None => check_limit(request.limit, request.offset, settings.limit_max)?,
            Some(page) => {
                if let Some(bound) = page.last_bound {
                    range.lower = range.lower.max(metric.key(bound).next_up());
                }
                if request.offset > 0 {
                    return Err(invalid("an iterator has no offset".into()));
                }
                check_limit(page.batch, 0, settings.limit_max)?
            }
        };
        Ok(Self {
            position,
            metric,
            factory,
            filter,
            range,
            k,
            iterator: request.iterator.is_some(),
            results_max: settings.results_max,
            queries_max: settings.queries_max,
            schema,
        })
    }

    /// The search parameters for `k` hits. More hits than asked for are fetched where keys stand several times; what was
    /// enough for those asked for must not fail then.
    pub(crate) fn params_for(&self, request: &SearchRequest, k: usize) -> Result<ParamSet> {
        let is_too_small = |(name, value): &&(String, String)| {
            k > self.k && name == "ef" && value.parse::<usize>().is_ok_and(|ef| ef < k)
        };
        let given: Vec<(String, String)> = request.params.iter().filter(|one| !is_too_small(one)).cloned().collect();
        elanus_index::parse(self.factory.params(), Stage::Search, &given)
            .map_err(|source| Error::invalid(Subject::IndexParameter, "invalid search parameter").with_source(source))
    }

    /// Whether the index type compares every row.
    pub(crate) fn is_exact(&self) -> bool {
        self.factory.is_exact()
    }

    /// Queries x hits of a search.
    pub(crate) fn hit_count(&self, request: &SearchRequest) -> usize {
        let queries = match &request.queries {
            Queries::F32 { dim, data } => data.len() / (*dim).max(1),
            Queries::F16 { dim, data } => data.len() / (*dim).max(1),
            Queries::Keys(keys) => keys.len(),
        };
        queries.saturating_mul(self.k)
    }

    /// The queries in the field's element type; keys are looked up at the snapshot.
    pub(crate) fn queries(&self, request: &SearchRequest, snapshot: &Snapshot) -> Result<BoundQueries> {
        let field = &self.schema.fields[self.position];
        let column = match &request.queries {
            Queries::F32 { dim, data } => {
                check_shape(field, *dim, data.len())?;
                if let Some(at) = data.iter().position(|one| !one.is_finite()) {
                    return Err(not_finite(field, at));
                }
                if field.data_type == DataType::Float16Vector {
                    let data: Vec<F16> = data.iter().map(|&one| F16::from_f32(one)).collect();
                    if let Some(at) = data.iter().position(|one| !one.to_f32().is_finite()) {
                        return Err(not_finite(field, at));
                    }
                    ColumnData::Float16Vector { dim: *dim, data }
                } else {
                    ColumnData::FloatVector { dim: *dim, data: data.clone() }
                }
            }
            Queries::F16 { dim, data } => {
                if field.data_type != DataType::Float16Vector {
                    let text = format!("field {} is {}, the queries are Float16Vector", field.name, field.data_type);
                    return Err(Error::invalid(Subject::Data, text));
                }
                check_shape(field, *dim, data.len())?;
                if let Some(at) = data.iter().position(|one| !one.to_f32().is_finite()) {
                    return Err(not_finite(field, at));
                }
                ColumnData::Float16Vector { dim: *dim, data: data.clone() }
            }
            Queries::Keys(keys) => return self.stored(keys, snapshot),
        };
        let column = Column::full(column);
        self.check_counts(column.len())?;
        Ok(BoundQueries(column))
    }

    fn check_counts(&self, count: usize) -> Result<()> {
        if count == 0 || count > self.queries_max {
            return Err(invalid(format!("nq [{count}] is not in 1..={}", self.queries_max)));
        }
        if count.saturating_mul(self.k) > self.results_max {
            let text =
                format!("{count} queries x {} hits are more than {}: split the search", self.k, self.results_max);
            return Err(invalid(text));
        }
        Ok(())
    }

    fn stored(&self, keys: &elanus_segment::Keys, snapshot: &Snapshot) -> Result<BoundQueries> {
        self.check_counts(keys.len())?;
        let field = &self.schema.fields[self.position];
        let mut column = Column::empty(field);
        for key in keys.iter() {
            let rows = snapshot.segments.iter().filter_map(|one| {
                let row = one.view.lookup_newest(key, snapshot.ts)?;
                Some((one.view.timestamp(row), one.view.block_of(row)))
            });
            let hit = rows.max_by_key(|(ts, _)| *ts).map(|(_, place)| place);
            let Some((block, row)) = hit else {
                return Err(Error::not_found(
                    Subject::Data,
                    format!("there is no row with primary key {key} to search by"),
                ));
            };
            let vectors = block.column(self.position);
            if !vectors.is_valid(row) {
                return Err(Error::invalid(Subject::Data, format!("the vector of primary key {key} is NULL")));
            }
            column.push_from(vectors, row);
        }
        Ok(BoundQueries(column))
    }
}

fn vector_position(schema: &Schema, name: &str) -> Result<usize> {
    if name.is_empty() {
        let mut vectors = schema.vectors();
        return match (vectors.next(), vectors.next()) {
            (Some((position, _)), None) => Ok(position),
            _ => Err(invalid("anns_field is required: the collection has several vector fields".into())),
        };
    }
    let position = schema
        .position(name)
        .ok_or_else(|| Error::not_found(Subject::Field, format!("anns_field {name} is not in the schema")))?;
    if !schema.fields[position].data_type.is_vector() {
        return Err(invalid(format!("anns_field {name} is {}, not a vector", schema.fields[position].data_type)));
    }
    Ok(position)
}

fn metric_of(index: &IndexRecord, request: &SearchRequest) -> Result<Metric> {
    let metric = Metric::parse(&index.metric).ok_or_else(|| Error::internal(format!("metric {}", index.metric)))?;
    match request.metric.as_deref().filter(|name| !name.is_empty()) {
        Some(name) if !name.eq_ignore_ascii_case(&index.metric) => {
            Err(invalid(format!("metric type not match: invalid parameter[expected={}][actual={name}]", index.metric)))
        }
        Some(_) | None => Ok(metric),
    }
}

/// Range search in scores becomes a range of keys: keys are what is minimised, so the inner bound is the lower one.
fn range(metric: Metric, request: &SearchRequest) -> Result<KeyRange> {
    let mut range = KeyRange::ALL;
    let numbers = [("radius", request.radius), ("range_filter", request.range_filter)];
    if let Some((name, _)) = numbers.iter().find(|(_, value)| value.is_some_and(f32::is_nan)) {
        return Err(invalid(format!("{name} is NaN")));
    }
    match (request.radius, request.range_filter) {
        (None, None) => return Ok(range),
        (None, Some(_)) => return Err(invalid("range_filter needs radius".into())),
        (Some(radius), inner) => {
            range.upper = metric.key(radius);
            range.lower = inner.map_or(f32::NEG_INFINITY, |inner| metric.key(inner));
        }
    }
    if range.lower >= range.upper {
        let order = if metric.larger_is_better() { "less" } else { "greater" };
        return Err(invalid(format!(
            "radius {} must be {order} than range_filter {} for metric {}",
            request.radius.unwrap_or(0.0),
            request.range_filter.unwrap_or(0.0),
            metric.name()
        )));
    }
    Ok(range)
}

fn check_limit(limit: usize, offset: usize, max: usize) -> Result<usize> {
    if limit == 0 || limit > max {
        return Err(invalid(format!("topk [{limit}] is invalid, it should be in range [1, {max}]")));
    }
    match limit.checked_add(offset) {
        Some(sum) if sum <= max => Ok(sum),
        _ => Err(invalid(format!("the sum of offset {offset} and limit {limit} is greater than {max}"))),
    }
}

fn check_shape(field: &Field, dim: usize, length: usize) -> Result<()> {
    if dim != field.dim as usize || dim == 0 || !length.is_multiple_of(dim) {
        let text = format!("vector dimension mismatch on field {}: expected {}, actual {dim}", field.name, field.dim);
        return Err(Error::invalid(Subject::Data, text));
    }
    Ok(())
}

fn not_finite(field: &Field, at: usize) -> Error {
    let dim = (field.dim as usize).max(1);
    let text = format!("query {}: component {} is NaN or infinite", at / dim, at % dim);
    Error::invalid(Subject::Data, text)
}

pub(crate) fn expression_error(source: expr::ExprError) -> Error {
    Error::invalid(Subject::Expression, source.to_string())
}
