//! Metrics: requests by RPC and code, their latency, and what the database holds.

use elanus::GpuMetrics;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Bounds of the latency buckets in seconds: 100 microseconds to about a minute and a half, doubling.
const LATENCY_BOUND_MIN_SECONDS: f64 = 0.000_1;
const LATENCY_BOUND_COUNT: u16 = 20;

/// Labels of a finished request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Finished {
    rpc: &'static str,
    code: i32,
}

/// Labels of an RPC.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rpc {
    rpc: &'static str,
}

type Latency = Family<Rpc, Histogram, fn() -> Histogram>;

/// What a gauge shows when it is asked for: name, sentence, value.
pub type Reading = (&'static str, &'static str, u64);

/// The metrics of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Finished, Counter>,
    latency: Latency,
}

/// Reads gauges when the metrics are asked for, so that nothing need be kept up to date.
struct Gauges<F>(F);

impl<F> std::fmt::Debug for Gauges<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gauges")
    }
}

impl<F: Fn() -> Vec<Reading> + Send + Sync + 'static> Collector for Gauges<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, help, value) in (self.0)() {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

/// Reads what the device did when the metrics are asked for.
struct Device<F>(F);

impl<F> std::fmt::Debug for Device<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Device")
    }
}

impl<F: Fn() -> GpuMetrics + Send + Sync + 'static> Collector for Device<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gpu = (self.0)();
        let totals: [Reading; 3] = [
            ("gpu_searches", "Searches of a segment that the device answered", gpu.searches),
            ("gpu_fallbacks", "Searches of a segment that the CPU did since the device failed", gpu.fallbacks),
            ("gpu_evictions", "Rows that were wanted after they had been thrown out of the device", gpu.evictions),
        ];
        for (name, help, value) in totals {
            let total = ConstCounter::new(value);
            total.encode(encoder.encode_descriptor(name, help, None, total.metric_type())?)?;
        }
        let help = "Bytes that rows take on the device";
        let resident = ConstGauge::new(i64::try_from(gpu.resident_bytes).unwrap_or(i64::MAX));
        resident.encode(encoder.encode_descriptor("gpu_resident_bytes", help, None, resident.metric_type())?)?;
        let last = gpu.batches.len() - 1;
        let bound = |size: usize| if size == last { f64::INFINITY } else { 2_f64.powi(size as i32) };
        let sizes: Vec<(f64, u64)> = gpu.batches.iter().enumerate().map(|(i, count)| (bound(i), *count)).collect();
        let count = gpu.batches.iter().sum();
        let help = "Queries that reach the device together";
        let mut histogram = encoder.encode_descriptor("gpu_batch_queries", help, None, MetricType::Histogram)?;
        histogram.encode_histogram::<NoLabelSet>(gpu.batched_queries as f64, count, &sizes, None)
    }
}

impl Metrics {
    /// Metrics that read their gauges from `gauges`, and what the device did from `gpu`.
    pub fn new(
        gauges: impl Fn() -> Vec<Reading> + Send + Sync + 'static,
        gpu: impl Fn() -> GpuMetrics + Send + Sync + 'static,
    ) -> Self {
        let mut registry = Registry::with_prefix("elanus");
        let requests = Family::default();
        let latency: Latency = Family::new_with_constructor(|| {
            Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(
                LATENCY_BOUND_MIN_SECONDS,
                2.0,
                LATENCY_BOUND_COUNT,
            ))
        });
        registry.register("requests", "Finished requests by RPC and by code, 0 for success", requests.clone());
        registry.register("request_seconds", "Time from arrival to reply, by RPC", latency.clone());
        registry.register_collector(Box::new(Gauges(gauges)));
        registry.register_collector(Box::new(Device(gpu)));
        Self { registry, requests, latency }
    }

    /// Counts a finished request; `code` is 0 for success.
    pub fn finished(&self, rpc: &'static str, code: i32, took: Duration) {
        self.requests.get_or_create(&Finished { rpc, code }).inc();
        self.latency.get_or_create(&Rpc { rpc }).observe(took.as_secs_f64());
    }

    /// All metrics as Prometheus reads them.
    ///
    /// # Errors
    /// If the text cannot be written, which memory running out would be the only reason for.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Resident memory of this process, where the system tells it in `/proc`.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests;
