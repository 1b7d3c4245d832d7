"""`GET /metrics`: how things stand, in Prometheus's text form.

A scrape costs one look (at most every few seconds, whoever asks), and at most `AT_ONCE` entries of the record. Values are
read at the scrape, nothing is kept in between; the only label values from settings are tenants and instances, and no
text from an alert is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.desk.look import Look, Waiting
from isthmus.desk.measures import MEASURES, PROMISED, Measures, quantile
from isthmus.desk.promises import Promise
from isthmus.desk.vitals import Vitals
from isthmus.desk.watch import Watch
from isthmus.doors.errors import Told
from isthmus.doors.limits import READS
from isthmus.model.errors import IsthmusError

_SHARES = {"0.5": 0.5, "0.95": 0.95, "1": 1.0}
_COUNTED = {
    "deliveries": "Deliveries taken.",
    "repeated": "Deliveries that came before, byte for byte.",
    "seen": "Claims in deliveries that were read.",
    "stored": "Claims that were new findings.",
    "duplicate": "Claims that were told before.",
    "rejected": "Claims that were not taken.",
}


def told(watch: Watch, measures: Measures, clock: Callable[[], datetime]) -> ASGIApp:
    """The page. Answers 405 to anything that is not a read."""
    registry = CollectorRegistry()
    registry.register(_Seen(watch, measures, clock))
    ProcessCollector(registry=registry)

    async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in READS:
            raise Told(405, "method", "metrics are read by GET", {"allow": "GET, HEAD"})
        page = await run_in_threadpool(generate_latest, registry)
        await Response(page, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})(scope, receive, send)

    return metrics


class _Seen(Collector):
    """Everything of ours, as of the moment it is asked."""

    def __init__(self, watch: Watch, measures: Measures, clock: Callable[[], datetime]) -> None:
        self._watch, self._measures, self._clock = watch, measures, clock

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked of the database only to be registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families. With the database away only what this process knows by itself."""
        standing = self._watch.standing(self._clock())
        yield from _of_promises(standing.promises)
        yield from _of_process(self._watch.vitals)
        if standing.look is not None:
            yield from _of_intake(standing.look)
            yield from _of_work(standing.look)
            yield from _of_pulls(standing.look)
            yield from _of_record(standing.look)
        yield from self._times()

    def _times(self) -> Iterator[Metric]:
        try:
            self._measures.follow()
        except IsthmusError:
            return
        labels = ["tenant", "measure"]
        seconds = _gauge("time_to_seconds", "Seconds from the first alert, of the newest incidents.", [*labels, "quantile"])
        number = _gauge("time_to_measured", "How many incidents those are.", labels)
        for (tenant, name), times in self._measures.times().items():
            number.add_metric([tenant, name], len(times))
            for said, share in _SHARES.items():
                seconds.add_metric([tenant, name, said], quantile(times, share))
        promised = _gauge("time_to_promised_seconds", "What was promised, where something was.", ["measure"])
        for name in MEASURES:
            if name in PROMISED:
                promised.add_metric([name], PROMISED[name].total_seconds())
        yield from (seconds, number, promised)


def _gauge(name: str, about: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"isthmus_{name}", about, labels=list(labels))


def _one(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"isthmus_{name}", about, value=value)


def _age(since: datetime | None, now: datetime) -> float:
    """Seconds; 0 for nothing, and for what a clock that went back since has dated ahead."""
    return 0.0 if since is None else max(timedelta(), now - since).total_seconds()


def _of_promises(promises: Iterable[Promise]) -> Iterator[Metric]:
    kept = _gauge("promise_kept", "1 when the promise is kept, 0 when it is not.", ["promise"])
    for one in promises:
        kept.add_metric([one.name], float(one.kept))
    yield kept


def _of_process(vitals: Vitals) -> Iterator[Metric]:
    answers = CounterMetricFamily("isthmus_deliveries_answered", "Answers to deliveries.", labels=["instance", "answer"])
    for (instance, word), number in vitals.answers.items():
        answers.add_metric([instance, word], number)
    turns = SummaryMetricFamily("isthmus_turn_seconds", "Turns of the work.", labels=["kind"])
    troubled = CounterMetricFamily("isthmus_turns_troubled", "Turns that ended in trouble.", labels=["kind"])
    for kind, one in vitals.turns.items():
        turns.add_metric([kind], one.ended, one.seconds)
        troubled.add_metric([kind], one.troubled)
    yield from (answers, turns, troubled)


def _of_intake(look: Look) -> Iterator[Metric]:
    for name, about in _COUNTED.items():
        family = CounterMetricFamily(f"isthmus_intake_{name}", about, labels=["tenant", "source", "instance"])
        for place, numbers in look.counts.items():
            family.add_metric(list(place), numbers[name])
        yield family
    depth = _gauge("inbox_depth", "Deliveries stored and not yet read.", ["tenant", "instance"])
    age = _gauge("inbox_oldest_seconds", "Age of the oldest of them.", ["tenant", "instance"])
    for (tenant, instance), waiting in look.inbox.items():
        depth.add_metric([tenant, instance], waiting.number)
        age.add_metric([tenant, instance], _age(waiting.oldest, look.at))
    yield from (depth, age)
    yield from _waiting("refetch", "Findings a platform is still to be asked about", look.refetch, look.at)


def _waiting(name: str, about: str, waiting: Waiting, now: datetime) -> Iterator[Metric]:
    yield _one(f"{name}_waiting", f"{about} (at most 10,000 are counted).", waiting.number)
    yield _one(f"{name}_late_seconds", "By how much the oldest of them is late.", _age(waiting.oldest, now))


def _of_work(look: Look) -> Iterator[Metric]:
    states = _gauge("incidents", "Incidents by state (at most 10,000 of each are counted).", ["tenant", "state"])
    for (tenant, state), number in look.states.items():
        states.add_metric([tenant, state], number)
    waiting = _gauge("approvals_waiting", "Incidents in which people are asked.", ["tenant"])
    oldest = _gauge("approvals_oldest_seconds", "How long the oldest of them has waited.", ["tenant"])
    for tenant, one in look.approvals.items():
        waiting.add_metric([tenant], one.number)
        oldest.add_metric([tenant], _age(one.oldest, look.at))
    undecided = None if look.undecided is None else look.undecided.since
    effects = _gauge("effects_last_day", "Effects begun in the last 24 hours, by ability and result.", ["ability", "result"])
    for (ability, state), number in look.effects.items():
        effects.add_metric([ability, state], number)
    about = "How long the oldest incident has been without a disposition."
    yield from (states, waiting, oldest, _one("undecided_oldest_seconds", about, _age(undecided, look.at)), effects)


def _of_pulls(look: Look) -> Iterator[Metric]:
    labels = ["tenant", "instance", "stream"]
    lag = _gauge("pull_lag_seconds", "Seconds since the stream was last pulled.", labels)
    trouble = _gauge("pull_trouble", "1 when the last pull failed.", labels)
    for one in look.pulls:
        tenant, _, instance, stream = one.place
        lag.add_metric([tenant, instance, stream], _age(one.at, look.at))
        trouble.add_metric([tenant, instance, stream], float(bool(one.trouble)))
    yield from (lag, trouble)


def _of_record(look: Look) -> Iterator[Metric]:
    signed = look.signed
    yield _one("record_entries", "Entries of the record.", signed.size)
    yield _one("record_uncovered_entries", "Entries below no signed checkpoint yet.", signed.size - signed.covered)
    yield _one("record_uncovered_seconds", "Age of the oldest of them.", _age(signed.uncovered_since, look.at))
