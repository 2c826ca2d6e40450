//! What is counted can be read back from the text.

use super::{Metrics, resident_bytes};
use elanus::GpuMetrics;
use std::time::Duration;

#[test]
fn requests_latency_and_gauges_are_in_the_text() {
    let gpu = GpuMetrics { searches: 7, batched_queries: 9, resident_bytes: 5, ..GpuMetrics::default() };
    let gpu = move || {
        let mut gpu = gpu;
        (gpu.batches[0], gpu.batches[2], gpu.batches[15]) = (2, 1, 3);
        gpu
    };
    let metrics = Metrics::new(|| vec![("rows", "Rows", 42)], gpu);
    metrics.finished("Search", 0, Duration::from_millis(3));
    metrics.finished("Search", 100, Duration::from_millis(1));
    let text = metrics.text().unwrap();
    assert!(text.contains("elanus_requests_total{rpc=\"Search\",code=\"0\"} 1"), "{text}");
    assert!(text.contains("elanus_requests_total{rpc=\"Search\",code=\"100\"} 1"), "{text}");
    assert!(text.contains("elanus_request_seconds_count{rpc=\"Search\"} 2"), "{text}");
    assert!(text.contains("elanus_rows 42"), "{text}");
    for line in [
        "elanus_gpu_searches_total 7",
        "elanus_gpu_fallbacks_total 0",
        "elanus_gpu_evictions_total 0",
        "elanus_gpu_resident_bytes 5",
        "elanus_gpu_batch_queries_sum 9.0",
        "elanus_gpu_batch_queries_count 6",
        "elanus_gpu_batch_queries_bucket{le=\"1.0\"} 2",
        "elanus_gpu_batch_queries_bucket{le=\"4.0\"} 3",
        "elanus_gpu_batch_queries_bucket{le=\"+Inf\"} 6",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn resident_memory_is_that_of_a_running_process() {
    let bytes = resident_bytes().unwrap();
    assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
}
