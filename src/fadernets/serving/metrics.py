"""What Prometheus is told: requests, their times, the queue, workers, edits by model."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)  # the upper ends of the histogram's rows


class Metrics:
    """Metrics of one server. Labels are routes, statuses and names of models alone: nothing that a client wrote."""

    def __init__(self) -> None:
        self._all = one = CollectorRegistry()
        self.requests = Counter("fadernets_requests", "Requests", ("route", "status"), registry=one)
        self.seconds = Histogram(
            "fadernets_request_seconds", "Time to the answer", ("route",), buckets=SECONDS, registry=one
        )
        self.waiting = Gauge("fadernets_queue_length", "Requests that no worker has begun", registry=one)
        self.workers = Gauge("fadernets_workers_alive", "Workers that can take a request, or have one", registry=one)
        self.edits = Counter("fadernets_edits", "Edits by model", ("model",), registry=one)
        self.restarts = Counter("fadernets_worker_restarts", "Workers that were begun anew", registry=one)
        self.retries = Counter("fadernets_retries", "Requests whose worker ended, given to another", registry=one)

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self._all)
