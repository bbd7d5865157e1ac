"""Figures for Prometheus; names by its conventions, and no ids as labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from inboxd.errors import StoreError
from inboxd.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from inboxd.control.parts import Parts
    from inboxd.store.reader import StoreReader

__all__ = ["CONTENT_TYPE", "metrics"]

#: Prometheus' text format (prometheus.io, "Exposition formats").
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Counting open trees stops there.
_MOST_OPEN = 100_000


def metrics(parts: Parts, reader: StoreReader, *, connections: int, readers: int) -> bytes:
    """
    Return all figures as text.

    Args:
        parts: of the daemon.
        reader: the store.
        connections: to the control socket now.
        readers: of events now.
    """
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Figures(parts, reader, connections, readers))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, parts: Parts, reader: StoreReader, connections: int, readers: int) -> None:
        self._parts = parts
        self._reader = reader
        self._connections = connections
        self._readers = readers

    def collect(self) -> Iterator[Metric]:
        """Give the figures of now."""
        yield InfoMetricFamily("inboxd", "The daemon.", value={"version": VERSION})
        yield from self._counts()
        yield from self._gauges()

    def _counts(self) -> Iterator[Metric]:
        counts = self._parts.feed.counts
        attempts = CounterMetricFamily(
            "inboxd_attempts_ended",
            "Attempts that ended, by what became of them.",
            labels=["outcome"],
        )
        for outcome in ("completed", "failed", "cancelled", "retried", "interrupted"):
            attempts.add_metric([outcome], counts.attempts[outcome])
        yield attempts
        yield CounterMetricFamily(
            "inboxd_trees_accepted", "Trees that were accepted.", value=counts.trees_accepted
        )
        trees = CounterMetricFamily("inboxd_trees_ended", "Trees that ended.", labels=["status"])
        for status in ("completed", "failed", "cancelled"):
            trees.add_metric([status], counts.trees_ended[status])
        yield trees
        files = CounterMetricFamily("inboxd_files", "Files that were taken.", labels=["verdict"])
        files.add_metric(["accepted"], counts.files_accepted)
        files.add_metric(["rejected"], counts.files_rejected)
        yield files
        yield CounterMetricFamily(
            "inboxd_commits",
            "Turns of the scheduler that were committed.",
            value=self._parts.scheduler.commit_count,
        )

    def _gauges(self) -> Iterator[Metric]:
        scheduler, settings = self._parts.scheduler, self._parts.settings.run
        intake = self._parts.intake_health()
        yield GaugeMetricFamily(
            "inboxd_attempts_running", "Attempts in progress.", value=scheduler.running_count
        )
        places = GaugeMetricFamily(
            "inboxd_places", "Attempts that may be in progress at one time.", labels=["kind"]
        )
        places.add_metric(["threads_and_processes"], settings.places)
        places.add_metric(["async"], settings.async_places)
        yield places
        try:
            open_trees = self._reader.count_open_trees(_MOST_OPEN)
        except StoreError:  # `/healthz` says so
            pass
        else:
            yield GaugeMetricFamily(
                "inboxd_trees_open", "Trees that have not ended.", value=open_trees
            )
        yield GaugeMetricFamily(
            "inboxd_failing_turns",
            "Turns of the scheduler in a row that failed; 0: the last one was committed.",
            value=scheduler.failing_turns,
        )
        for name, what, moment in (
            ("commit", "the last turn that was committed", scheduler.last_commit_at),
            ("inbox_look", "the last look through the inbox", intake.last_look_at),
        ):
            if moment is not None:
                yield GaugeMetricFamily(
                    f"inboxd_last_{name}_timestamp_seconds",
                    f"When {what} was.",
                    value=moment / 1_000_000,
                )
        yield GaugeMetricFamily(
            "inboxd_intake_degraded",
            "1: files are not taken, or not all of them.",
            value=int(intake.problem is not None or not intake.is_alive),
        )
        yield GaugeMetricFamily(
            "inboxd_control_connections",
            "Connections to the control socket.",
            value=self._connections,
        )
        yield GaugeMetricFamily("inboxd_event_readers", "Readers of events.", value=self._readers)
