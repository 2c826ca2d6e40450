//! HTTP for whoever runs the server: `/healthz` and `/metrics`.

use crate::observe::Metrics;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What Prometheus calls the format of the metrics.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the server takes requests; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Says that the server stops.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The two pages.
pub fn app(metrics: Arc<Metrics>, health: Health) -> Router {
    let health = Router::new().route("/healthz", get(healthz)).with_state(health);
    Router::new().route("/metrics", get(text)).with_state(metrics).merge(health)
}

async fn healthz(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.0.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    (StatusCode::OK, "OK")
}

async fn text(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
