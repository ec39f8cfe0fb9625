"""What Prometheus is told, beside KServe's own and the process' figures."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

REQUESTS = Counter(
    "keras_inpaint_requests",
    "Requests answered",
    ["protocol", "route", "code"],
)
REQUEST_SECONDS = Histogram(
    "keras_inpaint_request_seconds",
    "Time from a request's headers to the end of its answer",
    ["protocol", "route"],
    buckets=_SECONDS,
)
ADMITTED = Gauge("keras_inpaint_admitted_requests", "Requests in work and in the queue")
IN_WORK = Gauge("keras_inpaint_working_requests", "Requests in work")
REFUSED = Counter("keras_inpaint_refused_requests", "Requests refused at the door", ["reason"])
CALL_SECONDS = Histogram(
    "keras_inpaint_call_seconds", "Time of one call of a network", ["model"], buckets=_SECONDS
)
BATCH_ROWS = Histogram(
    "keras_inpaint_batch_rows",
    "Photos completed in one call of a network",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
BATCH_REQUESTS = Histogram(
    "keras_inpaint_batch_requests",
    "Requests that shared one call of a network",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
MODEL_AVAILABLE = Gauge(
    "keras_inpaint_model_available", "1 while a version is served", ["model", "version"]
)


def observe_batch(rows: int, requests: int) -> None:
    """Count one call of a network.

    Args:
        rows: Int, photos in it.
        requests: Int, requests that shared it.
    """
    BATCH_ROWS.observe(rows)
    BATCH_REQUESTS.observe(requests)
