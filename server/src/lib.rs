//! Elanus behind Milvus's wire protocol: gRPC for clients, HTTP for health and metrics.

pub mod admission;
pub mod config;
pub mod convert;
pub mod demo;
pub mod devices;
pub mod grpc;
pub mod grpc_status;
pub mod http;
pub mod intake;
pub mod observe;
pub mod proto;
pub mod serve;
pub mod server;
pub mod status;
