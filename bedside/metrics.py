"""What a station counts, for Prometheus: `/metrics` on loopback, in its text format.

Nothing here is about a patient: beds are numbered by none, and no heart rate is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import start_http_server
from prometheus_client.registry import Collector

from bedside.errors import SettingsError
from bedside.measures import Measures

LOOPBACK = "127.0.0.1"


class _Station(Collector):
    """Reads the station each time that it is asked."""

    def __init__(self, measure: Callable[[], Measures]) -> None:
        self._measure = measure

    def collect(self) -> Iterable[Metric]:
        now = self._measure()
        counts = now.counts
        yield _counter("batches", "Batches received", counts.batches)
        yield _counter("batches_duplicate", "Batches that had come before", counts.duplicates)
        yield _counter("batches_late", "Batches that came after their time", counts.late)
        refused = dict(counts.refused)
        yield _counters("batches_refused", "Batches not of the wire format", "reason", refused)
        yield _counter("gaps", "Holes in the live signal", counts.gaps)
        yield _counter("beats", "Beats found", counts.beats)
        yield _counter("beats_abnormal", "Beats above their threshold", counts.abnormal_beats)
        yield _counters("alarms", "Alarms that became active", "code", dict(counts.alarms))
        yield _counter("alerts", "Alerts that were to leave", counts.alerts)
        yield _counters("failures", "Faults that a thread outlived", "thread", now.failures)
        yield _gauges("queue_depth", "What waits for a thread", "thread", now.waiting)
        yield _gauge("beds", "Beds served", now.beds)
        yield _gauge("outbox_waiting", "Alerts that have not left", now.alerts_waiting)
        yield _gauge("outbox_oldest_seconds", "Age of the oldest of them", now.oldest_alert_s)
        yield _gauge("disk_free_bytes", "Room where recordings are kept", now.disk_free_bytes)
        p50_ms, p99_ms = counts.latency_ms(50), counts.latency_ms(99)
        if p50_ms is not None and p99_ms is not None:
            words = "From the broker to a batch's events, over the last batches"
            yield _gauge("batch_to_event_p50_seconds", words, p50_ms / 1000)
            yield _gauge("batch_to_event_p99_seconds", words, p99_ms / 1000)


class MetricsServer:
    """Answers on loopback for as long as a `with` block lasts; port 0 takes a free one."""

    def __init__(self, port: int, measure: Callable[[], Measures]) -> None:
        self._wanted_port = port
        self._registry = CollectorRegistry()
        self._registry.register(_Station(measure))
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self._registry.register(collector)

    def __enter__(self) -> MetricsServer:
        """Start. Raises SettingsError where the port is taken."""
        try:
            self._server, self._thread = start_http_server(
                self._wanted_port, LOOPBACK, self._registry
            )
        except OSError as error:
            raise SettingsError(
                f"port {self._wanted_port} for metrics is not free ({error.strerror}): set "
                "another station.metrics_port."
            ) from error
        return self

    @property
    def address(self) -> str:
        """Whom it listens to."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self._server.server_port)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"bedside_{name}", words, value=value)


def _counters(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"bedside_{name}", words, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"bedside_{name}", words, value=value)


def _gauges(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"bedside_{name}", words, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family
