//! What is counted can be read back from the text.

use super::{Metrics, resident_bytes};
use std::time::Duration;

#[test]
fn requests_latency_and_gauges_are_in_the_text() {
    let metrics = Metrics::new(|| vec![("rows", "Rows", 42)]);
    metrics.finished("Search", 0, Duration::from_millis(3));
    metrics.finished("Search", 100, Duration::from_millis(1));
    let text = metrics.text().unwrap();
    assert!(text.contains("elanus_requests_total{rpc=\"Search\",code=\"0\"} 1"), "{text}");
    assert!(text.contains("elanus_requests_total{rpc=\"Search\",code=\"100\"} 1"), "{text}");
    assert!(text.contains("elanus_request_seconds_count{rpc=\"Search\"} 2"), "{text}");
    assert!(text.contains("elanus_rows 42"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn resident_memory_is_that_of_a_running_process() {
    let bytes = resident_bytes().unwrap();
    assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
}
