//! One proximity graph, whatever the rows are compared by: how it is built, how it is walked.

pub(crate) mod beam;
pub(crate) mod build;
pub(crate) mod levels;
pub(crate) mod links;
mod prune;
mod repair;
pub(crate) mod space;
pub(crate) mod stop;
pub(crate) mod walk;

pub(crate) use beam::{Candidate, Heaps, MAX_NODE, Sorted};
pub(crate) use build::Shape;
