"""What the service counts and times, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.answering import Answer

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Figures of one service. Durations are in seconds; no figure holds a word of a question or a document."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "attest_request_duration_seconds",
            "From a request's first byte to its answer's last.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "attest_stage_duration_seconds",
            "What of an answer took how long.",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "attest_answers", "Questions answered and refused.", ["status", "reason"], registry=self._registry
        )
        self._generations = Counter(
            "attest_generations_served", "Generations of the index that were opened.", registry=self._registry
        )
        self._rebuilds = Counter(
            "attest_rebuilds", "Search indexes that were missing or damaged and built anew.", registry=self._registry
        )
        self._generation, self._documents, self._passages, self._waiting = (
            Gauge(f"attest_{name}", words, registry=self._registry)
            for name, words in (
                ("generation", "The generation of the index that is served, 0 for none."),
                ("documents", "Documents in it."),
                ("passages", "Passages in it."),
                ("queue", "Questions at work or waiting."),
            )
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the template of its path."""
        self._requests.labels(method, route, status).observe(seconds)

    def answer(self, answer: Answer) -> None:
        """Count an answer, and its stages unless it was remembered."""
        self._answers.labels(answer.status, answer.reason or "").inc()
        for stage, milliseconds in (("retrieve", answer.timings_ms.retrieve), ("read", answer.timings_ms.read)):
            if milliseconds:
                self._stages.labels(stage).observe(milliseconds / 1_000)

    def rebuilt(self) -> None:
        """Search indexes were not as they should be, and were built anew."""
        self._rebuilds.inc()

    def serves(self, generation: int, documents: int, passages: int) -> None:
        """Another generation is served; 0 for none."""
        if generation:
            self._generations.inc()
        self._generation.set(generation)
        self._documents.set(documents)
        self._passages.set(passages)

    def text(self, waiting: int) -> bytes:
        """All figures, as Prometheus reads them."""
        self._waiting.set(waiting)
        return generate_latest(self._registry)
