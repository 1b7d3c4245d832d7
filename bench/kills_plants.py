"""Bugs planted on purpose, each by changing the product in a life before it begins: the lane has to see every one of them.

They are the mistakes one makes here: a step kept in memory, two transactions where one is needed, a call without a look
before it. `where` says at which boundaries one would look first; the others are tried after them. Those that only show
where several work, or where the database goes away, stand in `kills_plants_many`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.kills_plant import Plant, Sown, swap
from bench.kills_plants_kept import KEPT
from bench.kills_plants_many import MANY
from sqlalchemy import Connection

from isthmus.act import carry_out
from isthmus.act.cases import CaseHand
from isthmus.connectors.aws.actuator import AwsActuator
from isthmus.connectors.aws.isolate_instance import Isolation
from isthmus.connectors.aws.isolation_group import stand_empty
from isthmus.connectors.servicenow.cases import SnowCases
from isthmus.connectors.servicenow.writing import opening
from isthmus.desk import carrying, saving
from isthmus.desk.desk import Desk
from isthmus.desk.reading import Reader
from isthmus.desk.words import Words
from isthmus.desk.work import Work
from isthmus.model.plans import Outcome, Result
from isthmus.record import inbox, ledger
from isthmus.record.inbox import WEBHOOK
from isthmus.record.store import Store


def _no_intent(_: Sown) -> None:
    swap(carrying, "_THOUGHT", lambda plain: (*plain, "step.intent"))


def _blind_repeat(_: Sown) -> None:
    async def carried_out(step: Any, hand: Any, ask: Any, now: Any) -> Any:
        ask.guard(step, False)
        return carry_out._done(step, await hand.actuator.apply(step.preview, step.intent.token, now), ask, now)

    def makes(self: AwsActuator, ability: Any, preview: Any, at: Any) -> Outcome:
        ability.look(self._aws, preview.target, preview.before).make()
        return self._stood(preview, ability.look(self._aws, preview.target, preview.before), Result.DONE, at)

    def make(self: Isolation) -> None:
        for own, one in self.interfaces.items():
            self._put(own, (stand_empty(self.aws, self.target.region, one.vpc, self.name),))

    swap(carry_out, "_carried_out", lambda _: carried_out)
    swap(AwsActuator, "_make", lambda _: makes)
    swap(Isolation, "make", lambda _: make)


def _intent_is_done(_: Sown) -> None:
    ours: set[str] = set()

    def make(plain: Any) -> Any:
        async def carried_out(step: Any, hand: Any, ask: Any, now: Any) -> Any:
            if step.intent.token not in ours:
                return carry_out._done(step, Outcome(Result.DONE, "it was under way", now), ask, now)
            return await plain(step, hand, ask, now)

        return carried_out

    def intended(plain: Any) -> Any:
        async def intending(*given: Any) -> Any:
            step = await plain(*given)
            ours.update([step.intent.token] if step.intent is not None else [])
            return step

        return intending

    swap(carry_out, "_intended", intended)
    swap(carry_out, "_carried_out", make)


def _case_without_search(_: Sown) -> None:
    opened: set[str] = set()

    def putting(plain: Any) -> Any:
        async def put(self: SnowCases, case: Any) -> Any:
            if case.key in opened:
                return await plain(self, case)
            opened.add(case.key)
            made = await self._session.insert(self._config.table, opening(case, self._config))
            return self._record(made, created=True)

        return put

    def verifying(plain: Any) -> Any:
        async def verify(self: CaseHand, preview: Any, at: Any) -> Outcome:
            known: Outcome = await plain(self, preview, at) if self.case.key in opened else Outcome(Result.FAILED, "", at)
            return known

        return verify

    swap(SnowCases, "put", putting)
    swap(CaseHand, "verify", verifying)


def _read_in_two(_: Sown) -> None:
    done = inbox.done

    def make(plain: Any) -> Any:
        def claims(self: Reader, *given: Any) -> Any:
            read = plain(self, *given)
            with self._store.writing() as connection:
                done(connection, read.ids)
            return read

        return claims

    swap(Reader, "_claims", make)
    swap(inbox, "done", lambda _: lambda *_: None)


def _later(wants: Callable[..., bool], place: Any, name: str, answer: Any) -> None:
    """Calls of this function that `wants` picks are made after the commit, in a transaction of their own."""
    queue: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    plain = getattr(place, name)

    def put_off(_: Any) -> Any:
        def called(connection: Any, *given: Any, **named: Any) -> Any:
            if not wants(*given, **named):
                return plain(connection, *given, **named)
            queue.append((given, named))
            return answer

        return called

    def make(writing: Any) -> Any:
        @contextmanager
        def wrote(self: Store) -> Iterator[Any]:
            with writing(self) as connection:
                yield connection
            while queue:
                given, named = queue.pop(0)
                with writing(self) as connection:
                    plain(connection, *given, **named)

        return wrote

    swap(place, name, put_off)
    swap(Store, "writing", make)


def _page_later(_: Sown) -> None:
    _later(lambda handed: bool(handed) and handed[0].channel != WEBHOOK, inbox, "accept", [])


def _ledger_later(_: Sown) -> None:
    _later(lambda *_: True, ledger, "extend", range(1))


def _before_the_turn(queue: list[Callable[[], Any]]) -> None:
    def make(plain: Any) -> Any:
        async def turn(self: Work, now: Any) -> Any:
            while queue:
                queue.pop(0)()
            return await plain(self, now)

        return turn

    swap(Work, "turn", make)


def _answer_first(_: Sown) -> None:
    queue: list[Callable[[], Any]] = []

    def make(plain: Any) -> Any:
        def accept(self: Desk, deliveries: Any) -> list[bool]:
            queue.append(lambda: plain(self, deliveries))
            return [True for _ in deliveries]

        return accept

    swap(Desk, "accept", make)
    _before_the_turn(queue)


def _yes_first(_: Sown) -> None:
    queue: list[Callable[[], Any]] = []

    def make(plain: Any) -> Any:
        return lambda self, *given: queue.append(lambda: plain(self, *given))

    swap(Words, "approve", make)
    _before_the_turn(queue)


def _midway(connection: Connection) -> None:
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    nested = connection.get_nested_transaction()
    if nested is not None:
        connection.exec_driver_sql(f"SAVEPOINT {nested._savepoint}")


def _commit_midway(_: Sown) -> None:
    def make(plain: Any) -> Any:
        def extend(connection: Any, *given: Any) -> Any:
            _midway(connection)
            return plain(connection, *given)

        return extend

    swap(ledger, "extend", make)


def _fingerprint_first(_: Sown) -> None:
    def make(plain: Any) -> Any:
        def store(connection: Any, *given: Any) -> None:
            _midway(connection)
            plain(connection, *given)

        return store

    swap(inbox, "_store", make)


def _wake_in_memory(_: Sown) -> None:
    def make(plain: Any) -> Any:
        return lambda *given: plain(*given[:6], None if given[7] is not None else given[6], given[7])

    swap(saving, "_saved", make)


_ISOLATED = ("after|aws ModifyNetwork", "before|commit step.outcome aws")
PLANTS: dict[str, Plant] = {
    "no-intent": Plant("the intent is not saved before the call", _no_intent),
    "blind-repeat": Plant("nothing is read back, and the same is written again", _blind_repeat, _ISOLATED),
    "intent-is-done": Plant("an intent found at the start is held to be done", _intent_is_done, ("after|commit step.intent",)),
    "case-without-search": Plant(
        "a case this process did not open is opened", _case_without_search, ("after|POST /api/now", "after|commit step.outcome")
    ),
    "read-in-two": Plant("the inbox is emptied before the findings are saved", _read_in_two, ("intake.read", "nothing")),
    "answer-first": Plant("202 is said before the commit", _answer_first, ("after|202",)),
    "fingerprint-first": Plant("a delivery is known before it is stored", _fingerprint_first, ("before|commit delivery",)),
    "page-later": Plant("the cursor is saved before its page", _page_later, ("cursor", "asked back")),
    "ledger-later": Plant("the entry is written after the commit", _ledger_later, ("commit nothing", "commit step.")),
    "commit-midway": Plant(
        "half of a transaction is committed by itself", _commit_midway, ("before|commit step", "before|commit rou")
    ),
    "wake-in-memory": Plant("that it goes on is only remembered", _wake_in_memory, ("after|commit step.target",)),
    "yes-first": Plant("a person's yes is answered before it is saved", _yes_first, ("before|commit approval",)),
    **KEPT,
    **MANY,
}
