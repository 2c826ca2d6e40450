//! The numbers that clients get, and the message, which names the RPC and nothing that a header cannot carry.

use super::{message, settle};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use tonic::codegen::Service;

#[test]
fn the_rpc_is_named() {
    assert_eq!(message("/milvus.proto.milvus.MilvusService/RunAnalyzer"), "Elanus does not serve RunAnalyzer");
    for odd in ["/a/b%0d%0a", "/", "", "/a/\u{e9}"] {
        assert_eq!(message(odd), "Elanus does not serve this");
    }
}

/// What a client gets where the transport answers that: the number, and the message.
async fn settled(headers: &'static [(&'static str, &'static str)]) -> (Option<String>, Option<String>) {
    let answer = move || async move { axum::response::AppendHeaders(headers.iter().copied()) };
    let mut router = Router::new().route("/s/Some", any(answer)).layer(axum::middleware::from_fn(settle));
    let response = router.call(Request::builder().uri("/s/Some").body(Body::empty()).unwrap()).await.unwrap();
    let text = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    (text("grpc-status"), text("grpc-message"))
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_the_callers_fault() {
    let found = |number: &str, message: &str| (Some(number.to_owned()), Some(message.to_owned()));
    assert_eq!(settled(&[("grpc-status", "11"), ("grpc-message", "too large")]).await, found("8", "too large"));
    assert_eq!(settled(&[("grpc-status", "13"), ("grpc-message", "no message")]).await, found("3", "no message"));
    assert_eq!(settled(&[("grpc-status", "1"), ("grpc-message", "gone")]).await, found("1", "gone"));
    assert_eq!(settled(&[]).await, (None, None));
}

#[tokio::test]
async fn an_rpc_is_named_only_where_the_transport_gives_no_reason() {
    let found = |message: &str| (Some("12".to_owned()), Some(message.to_owned()));
    assert_eq!(settled(&[("grpc-status", "12")]).await, found("Elanus does not serve Some"));
    assert_eq!(settled(&[("grpc-status", "12"), ("grpc-message", "gzip")]).await, found("gzip"));
}
