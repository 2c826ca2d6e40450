//! gRPC's own answers: what clients can tell a server by, and none that they would repeat for minutes.
//!
//! Handlers put failures into their replies, so that these answers come from the transport alone: an RPC that is not
//! served, and a request that cannot be read. Clients take gRPC's numbers for the latter to be faults of the server
//! and send the same request again and again, unless they get the numbers for faults of the caller.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// A parameter that cannot be right.
const INVALID_ARGUMENT: &str = "3";
/// A limit is exceeded.
const RESOURCE_EXHAUSTED: &str = "8";
/// What the transport says of a message over the limit.
const OUT_OF_RANGE: &str = "11";
/// An RPC that is not served, or an encoding of messages that is not.
const UNIMPLEMENTED: &str = "12";
/// What the transport says of a message that is none.
const INTERNAL: &str = "13";

/// Puts the name of an RPC that is not served into the reply, and the caller's fault where it is the caller's.
pub async fn settle(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    match headers.get(STATUS).and_then(|status| status.to_str().ok()) {
        Some(OUT_OF_RANGE) => {
            headers.insert(STATUS, HeaderValue::from_static(RESOURCE_EXHAUSTED));
        }
        Some(INTERNAL) => {
            headers.insert(STATUS, HeaderValue::from_static(INVALID_ARGUMENT));
        }
        Some(UNIMPLEMENTED) if !headers.contains_key(MESSAGE) => {
            if let Ok(message) = HeaderValue::from_str(&message(&path)) {
                headers.insert(MESSAGE, message);
            }
        }
        Some(_) | None => {}
    }
    response
}

/// Header values that are no plain text must be percent-encoded; a path with anything but plain text is left out.
fn message(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { format!("Elanus does not serve {name}") } else { "Elanus does not serve this".to_owned() }
}

#[cfg(test)]
mod tests;
