//! Counters in OpenMetrics text at `/metrics`: requests by interaction and status, seconds spent.
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    interaction: String,
    status: u16,
}

pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("dmp_fhir");
        let requests = Family::<Labels, Counter>::default();
        let seconds = Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 30.0]);
        registry.register("requests", "Requests by interaction and status", requests.clone());
        registry.register("request_seconds", "Time from request to answer", seconds.clone());
        Self { registry, requests, seconds }
    }
}

impl Metrics {
    pub(crate) fn count(&self, interaction: &str, status: u16, time: Duration) {
        self.requests.get_or_create(&Labels { interaction: interaction.to_owned(), status }).inc();
        self.seconds.observe(time.as_secs_f64());
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        if encode(&mut out, &self.registry).is_err() {
            out.clear();
        }
        out
    }
}
