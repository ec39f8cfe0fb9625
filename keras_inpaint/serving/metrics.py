"""What Prometheus is told, beside the process' own figures."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("keras_inpaint_requests", "Requests answered", ["route", "code"])
SECONDS = Histogram(
    "keras_inpaint_request_seconds",
    "Time from a request's headers to the end of its answer",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
WORKING = Gauge("keras_inpaint_working_requests", "Photos that are being completed")
WAITING = Gauge("keras_inpaint_waiting_requests", "Requests that wait for their turn")
STOPPED = Counter("keras_inpaint_stopped_requests", "Work stopped before its end", ["reason"])
