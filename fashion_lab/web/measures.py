"""What /metrics tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fashion_lab.web.desk import Desk

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE")
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Measures:
    """Counters of one server; nothing global, so that two can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ("route", "method", "status")
        self.requests = Counter("fashion_lab_requests", "requests answered", names, registry=self.registry)
        self.latency = Histogram(
            "fashion_lab_request_seconds",
            "from the first byte of a request's head to the last of its answer",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batches = Histogram(
            "fashion_lab_batch_pictures", "pictures in a forward pass", buckets=SIZES, registry=self.registry
        )

    def watch(self, desk: Desk) -> None:
        """Read the rest when somebody asks."""
        live = desk.live
        for name, about, read in (
            ("index_items", "items that are searched", lambda: len(live.current)),
            ("queue_decode", "uploads that are or wait to be decoded", lambda: desk.decoding.waiting),
            ("queue_embed", "pictures that wait for a forward pass", lambda: desk.batcher.waiting),
            ("queue_look_up", "searches and pictures under way or waiting", lambda: desk.lookups.waiting),
            ("index_reloads", "newer indexes taken since the start", lambda: live.reloads),
            ("index_reload_failures", "newer indexes that could not be read", lambda: live.failures),
        ):
            Gauge(f"fashion_lab_{name}", about, registry=self.registry).set_function(read)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request. What clients can make up is no label: there would be no end of them."""
        self.requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self.latency.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Write them down in Prometheus' format."""
        return generate_latest(self.registry)
