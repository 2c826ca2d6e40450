//! Reading: which rows a request sees, which of them it selects, and what it returns of them.

mod fetch;
mod hybrid;
mod query;
mod search;
mod select;
mod snapshot;

pub use fetch::OutputField;
pub use hybrid::{HybridRequest, Ranker};
pub use query::{QueryRequest, QueryResult};
pub use search::{IteratorPage, Queries, SearchRequest, SearchResult};
pub use snapshot::ReadAt;
