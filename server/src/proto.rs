//! The protocol's messages and service, generated from the text in `proto/`.
#![allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code"
)]

/// What every message of the protocol shares.
pub mod common {
    tonic::include_proto!("milvus.proto.common");
}
/// Schemas, columns of values and search results.
pub mod schema {
    tonic::include_proto!("milvus.proto.schema");
}
/// Requests, replies and the service.
pub mod milvus {
    tonic::include_proto!("milvus.proto.milvus");
}
