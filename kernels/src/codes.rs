//! Codes: vectors in a few bits a component, and the scans over them.
pub mod byte_tables;
pub mod dot;
pub mod pq4;
pub mod pq8;
pub mod rabitq;
pub mod rotate;
pub mod sq;
