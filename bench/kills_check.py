"""The offline checker: what the outside saw, held against what the product's database says. It asks the product nothing.

The one thing it borrows is the audit of the ledger; everything else is read with its own queries.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.kills_books import Books
from bench.kills_noting import Effect, Host, Scene
from bench.kills_outside import TABLE, Outside

from isthmus.record import audit
from isthmus.record import keys as own_keys
from isthmus.record.checkpoints import Signer

GROUP = "isthmus-isolation"
TAKEN_BACK = frozenset({"dev"})
_ENDS = {"dev": {"undone", "already"}, "prod": {"done"}}
"""How the isolation of a host may end. A life that finds it put back by the life before says so: it is as it was already."""
_UNDONE = {"expired", "void", "refused"}
"""How it may end beside that where a clock was set wrong: then nothing is done about what people were asked."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the ledger as it stands in the database."""

    index: int
    event: str
    subject: str
    actor: str
    body: dict[str, Any]


@dataclass
class Found:
    """What one run left behind. `problems` are by what they are about; `state` is what must be as in a run without kills."""

    cases: int = 0
    effects: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    def say(self, about: str, problems: Iterator[str]) -> None:
        self.problems.setdefault(about, []).extend(problems)

    @property
    def all(self) -> list[str]:
        return [f"{about}: {one}" for about, several in self.problems.items() for one in several]


def check(outside: Outside, clean: dict[str, Any] | None, exact: bool = True) -> Found:
    """Everything that can be said of the present scene; `clean` is the state a run without kills came to.

    Where it is not `exact`, because a clock was set wrong, an isolation may also have been given up: then none was made.
    """
    scene, found = outside.scene, Found()
    books = scene.books
    entries = _entries(books)
    found.state = _state(books)
    carried = {name: exact or _ended(entries, host) for name, host in scene.hosts.items()}
    found.say("deliveries", _deliveries(books, scene))
    found.say("ledger", _revisions(books, entries))
    found.say("cases", _cases(scene, found, carried))
    found.say("effects", _effects(outside, found, carried))
    found.say("owners", _owned(scene, entries))
    found.say("ledger", _audited(scene))
    found.say("ledger", _intended(scene, entries))
    found.say("ledger", _said_once(scene, entries, carried))
    found.say("states", _as_clean(found.state, clean if exact else None))
    return found


def _entries(books: Books) -> list[Entry]:
    query = "SELECT e.idx, e.leaf, b.body FROM ledger_entries e JOIN ledger_bodies b ON b.idx = e.idx ORDER BY e.idx"
    rows = ((row["idx"], json.loads(row["leaf"]), json.loads(row["body"])) for row in books.rows(query))
    return [Entry(index, leaf["event"], leaf["subject"], leaf["actor"], body) for index, leaf, body in rows]


def _ended(entries: list[Entry], host: Host) -> bool:
    """Whether the record says that the isolation of this host was made."""
    ends = [one.body for one in entries if one.event == "step.outcome" and one.body["ability"] == "aws.isolate_instance"]
    return any(one["target"].endswith(host.instance) and one["result"] not in _UNDONE for one in ends)


def _state(books: Books) -> dict[str, Any]:
    """Where everything stands, without what differs by nature (native ids, times, revisions)."""
    rows = {
        "incidents": "SELECT id, state, priority, score, merged_into, wake_at = '' AS asleep FROM incidents",
        "findings": "SELECT key, incident, refetch FROM findings",
        "effects": "SELECT DISTINCT incident, ability, account, kind, state FROM effects",
        "rejected": "SELECT instance, reason FROM rejections",
        "waiting": "SELECT name FROM inbox",
        "counts": "SELECT instance, seen, stored, duplicate, rejected, deliveries - repeated AS fresh FROM counts",
        "cursors": "SELECT instance, stream, trouble FROM cursors",
    }
    return {name: sorted(list(row.values()) for row in books.rows(query)) for name, query in rows.items()}


def _deliveries(books: Books, scene: Scene) -> Iterator[str]:
    """What was acknowledged is there, and every claim in it is counted once."""
    for number in set(range(len(scene.deliveries))) - scene.taken:
        yield f"delivery {number} was never taken"
    known = "\n".join(row["key"] for row in books.rows("SELECT key FROM findings"))
    wanted = [one.source_id for number, one in enumerate(scene.deliveries) if number in scene.taken] + list(scene.pulled)
    yield from (f"the finding {one} is lost" for one in wanted if one not in known)
    for row in books.rows("SELECT * FROM counts"):
        if row["seen"] != row["stored"] + row["duplicate"] + row["rejected"]:
            yield f"{row['instance']}: seen is not stored + duplicate + rejected"
        # Each delivery of this drill makes exactly one claim.
        if row["seen"] != row["deliveries"] - row["repeated"]:
            yield f"{row['instance']}: {row['deliveries']} delivered, {row['repeated']} repeated, {row['seen']} claims seen"
    left = books.rows("SELECT name FROM inbox")
    if left:
        yield f"{len(left)} deliveries were never read"


def _revisions(books: Books, entries: list[Entry]) -> Iterator[str]:
    """Every save of an incident has its entry, and every entry its save."""
    told: dict[str, list[int]] = {}
    for one in entries:
        if "revision" in one.body:
            told.setdefault(one.subject, []).append(one.body["revision"])
    for row in books.rows("SELECT id, revision FROM incidents"):
        # What was thought is saved with what was done: several entries for one save.
        if list(dict.fromkeys(told.get(row["id"], ()))) != list(range(1, row["revision"] + 1)):
            yield f"{row['id']} is at revision {row['revision']}, the ledger tells {told.get(row['id'])}"


def _audited(scene: Scene) -> Iterator[str]:
    """The ledger holds together, under the checkpoints that were given away while lives began and ended."""
    keys = own_keys.load(scene.data / "keys")
    with scene.books.reading() as connection:
        verified = audit.verify(connection, Signer("isthmus", keys.private).key, scene.notes)
    yield from verified.problems
    if verified.covered != verified.size:
        yield f"{verified.size} entries, {verified.covered} of them under a checkpoint"


def _owned(scene: Scene, entries: list[Entry]) -> Iterator[str]:
    """Whoever changed something outside held the incident it was for at that moment, by the database's own word."""
    said = [one for one in entries if one.event in {"step.intent", "undo.ordered"}]
    for effect in scene.effects:
        for_whom = {one.subject for one in said if _speaks_of(scene, one, effect)}
        if for_whom and effect.sender not in {effect.holders.get(one, "") for one in for_whom}:
            who = {one: effect.holders.get(one, "nobody") for one in for_whom}
            yield f"{effect.action} on {effect.subject} was sent by {effect.sender}, held by {who}"


def _cases(scene: Scene, found: Found, carried: dict[str, bool]) -> Iterator[str]:
    """One case for each incident that wants one: opened once, active, noted once for each version, telling what was done."""
    rows = scene.snow.rows(TABLE)
    opened = Counter(one.subject for one in scene.effects if (one.system, one.action) == ("servicenow", "POST"))
    active = Counter(row["correlation_id"] for row in rows if row["active"] == "true")
    found.cases = sum(active.values())
    found.state["cases"] = sorted(active)
    yield from (f"{key}: opened {number} times" for key, number in opened.items() if number != 1)
    yield from (f"{key}: {active[key]} active cases" for key in opened if active[key] != 1)
    notes = Counter((row["element_id"], row["value"]) for row in scene.snow.rows("sys_journal_field"))
    yield from (f"a note was written {number} times: {note[1][:80]!r}" for note, number in notes.items() if number != 1)
    texts = "\n".join(row["description"] for row in rows if row["active"] == "true")
    for name, host in scene.hosts.items():
        if not any(
            f"aws.isolate_instance on {host.instance}: {end}:" in texts
            for end in _ENDS[name] | (set() if carried[name] else _UNDONE)
        ):
            yield f"no case tells how the isolation of {host.instance} ended"


def _effects(outside: Outside, found: Found, carried: dict[str, bool]) -> Iterator[str]:
    """Every interface moved once, and back once where it was taken back; one group in each VPC; nothing else touched."""
    made = Counter((one.action, one.subject, one.group) for one in outside.scene.effects if one.system == "aws")
    found.effects = sum(made.values())
    found.state["effects outside"] = sorted(one[0] for one in made.elements())
    left = dict(made)
    for name, host in outside.scene.hosts.items():
        yield from _moves(host, carried[name], carried[name] and name in TAKEN_BACK, left)
        if left.pop(("CreateSecurityGroup", host.vpc, ""), 0) != carried[name]:
            yield f"the isolation group of {host.vpc} was not made once"
        yield from _stands(outside, host, name in TAKEN_BACK or not carried[name])
    emptied = [left.pop(one) for one in list(left) if one[0] == "RevokeSecurityGroupEgress"]
    if emptied != [1] * sum(carried.values()):
        yield f"the isolation groups were emptied {emptied} times"
    yield from (f"unasked, {number} times: {action} on {subject}" for (action, subject, _), number in left.items())


def _moves(host: Host, made: bool, back: bool, left: dict[tuple[str, str, str], int]) -> Iterator[str]:
    """Takes the moves of this host's interfaces out of what is left to explain."""
    for own in host.interfaces:
        found = [one for one in left if one[:2] == ("ModifyNetworkInterfaceAttribute", own)]
        home = sum(left[one] for one in found if one[2] == host.group)
        away = sum(left.pop(one) for one in found) - home
        if (away, home) != (int(made), int(back)):
            yield f"{own} of {host.instance} was isolated {away} times and put back {home} times"


def _stands(outside: Outside, host: Host, back: bool) -> Iterator[str]:
    groups = outside.groups(host)
    wanted = {**{one: ["web"] for one in host.beside}, **{one: ["web"] if back else [GROUP] for one in host.interfaces}}
    if groups != wanted:
        yield f"{host.instance} and its neighbour are in {sorted(groups.items())}"


def _intended(scene: Scene, entries: list[Entry]) -> Iterator[str]:
    """Before every change outside, the ledger on disk already held the intent to make it."""
    intents = [one for one in entries if one.event == "step.intent"]
    said = [one for one in entries if one.event in {"step.intent", "undo.ordered"}]
    for effect in scene.effects:
        if not any(one.index < effect.ledger and _speaks_of(scene, one, effect) for one in said):
            yield f"{effect.action} on {effect.subject} had no intent before it"
    puts = Counter(one.subject for one in scene.effects if one.system == "servicenow")
    meant = Counter(one.body["target"].split("/", 1)[1] for one in intents if one.body["ability"].startswith("case."))
    alike = Counter((one.subject, one.group) for one in scene.effects if one.system == "servicenow")
    yield from (f"{key} was written {number} times alike" for (key, _), number in alike.items() if number > 1)
    # Where a lease was lost under way, the case that is put again tells of that: another text, for the same intent.
    if scene.url is None:
        yield from (f"{key}: {number} writes, {meant[key]} intents" for key, number in puts.items() if number > meant[key])


def _speaks_of(scene: Scene, intent: Entry, effect: Effect) -> bool:
    target, ability = intent.body["target"], intent.body["ability"]
    if intent.event == "undo.ordered":
        return any((target, effect.group) == (one.instance, one.group) for one in scene.hosts.values())
    if effect.system == "servicenow":
        return bool(ability.startswith("case.") and target.endswith(effect.subject))
    if ability != "aws.isolate_instance":
        return False
    host = next((one for one in scene.hosts.values() if target.endswith(one.instance)), None)
    if host is not None and effect.group == host.group:
        return False
    # A group is named by an id of its own; that its VPC is one of ours is checked with the effects.
    return host is not None and (effect.subject in {*host.interfaces, host.vpc} or effect.subject.startswith("sg-"))


def _said_once(scene: Scene, entries: list[Entry], carried: dict[str, bool]) -> Iterator[str]:
    """Each isolation was intended once and ended once; where people were asked, one yes came before the intent."""
    for name, host in scene.hosts.items():
        own = [one for one in entries if one.body.get("ability") == "aws.isolate_instance"]
        own = [one for one in own if one.body["target"].endswith(host.instance)]
        intents = [one for one in own if one.event == "step.intent"]
        ends = [one for one in own if one.event == "step.outcome" and one.body["result"] == "done"]
        undone = [one for one in own if one.event == "step.undone" and one.body["undone"] in _ENDS["dev"]]
        if carried[name] and (len(intents), len(ends), len(undone)) != (1, 1, int(name in TAKEN_BACK)):
            yield f"{name}: {len(intents)} intents, {len(ends)} outcomes, {len(undone)} undone"
        said = [one for one in entries if one.event == "approval.granted" and one.subject in {each.subject for each in intents}]
        if len(said) != (name == "prod") and intents:
            yield f"{name}: {len(said)} approvals on record"
        if name == "prod" and intents and not any(one.index < intents[0].index and one.actor == "ada" for one in said):
            yield f"{name}: nobody had agreed when it was intended"
    yield from (f"{one.subject} was held to be tampered with" for one in entries if one.event == "incident.tampered")


def _as_clean(state: dict[str, Any], clean: dict[str, Any] | None) -> Iterator[str]:
    for name, value in state.items() if clean is not None else ():
        assert clean is not None
        if value != clean[name]:
            yield f"{name}: {value} instead of {clean[name]}"
