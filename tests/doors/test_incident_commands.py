"""`isthmus incidents` against a service that really runs: every word arrives as whose key it is, and every no is told."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from rich.console import Console
from tests.doors.commands import Ran, fits, isthmus, settled
from tests.doors.standing import Standing, furnished, sample, standing

from isthmus.answer.incident_view import IncidentView, QueueRow
from isthmus.desk.saving import save
from isthmus.doors.api.answers import Queue
from isthmus.doors.cli import clock, deciding, incident_text
from isthmus.doors.cli.main import app
from isthmus.doors.serving import running
from isthmus.model.errors import Refused
from isthmus.model.people import Role
from isthmus.record.incidents import NEW, Stored
from isthmus.settings import read

KEYS = "access_key_id: 'file:{0}', secret_access_key: 'file:{0}'"


@dataclass
class Service:
    """A service that answers, who may speak to it, and where it was written down."""

    url: str
    made: Standing
    first: str

    def run(self, who: str, *arguments: object, answer: str = "") -> Ran:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ISTHMUS_KEY", self.made.keys[who])
            patch.setenv("ISTHMUS_SERVER", self.url)
            ran = isthmus("incidents", *arguments, answer=answer)
        assert self.made.keys[who] not in ran.out + ran.err
        return ran

    def seen(self, name: str) -> IncidentView:
        ran = self.run("viewer", "show", name, "--json")
        assert ran.code == 0 and ran.out.isascii(), ran.err
        return msgspec.json.decode(ran.out, type=IncidentView)

    def staged(self, name: str, people: int = 2) -> str:
        """An incident with one step that waits and one containment in place."""
        self.made.another(name, people=people)
        return name


def furnish(folder: Path) -> Standing:
    made = standing(folder)
    made.now = clock.now()
    for name in ("viewer", "analyst", "approver", "admin"):
        made.person(name, Role(name))
    made.delivered(sample("issue-public-bucket"))
    return made


@contextmanager
def served(folder: Path, server: str = "") -> Iterator[tuple[str, Standing]]:
    made = furnish(folder / "data")
    settings = folder / "isthmus.yaml"
    (folder / "secret").write_text("open sesame")
    aws = f"account: '210987654321', endpoint_url: 'http://127.0.0.1:9', {KEYS.format(folder / 'secret')}"
    text = f"data: data\nserver: {{port: 0{server}}}\ninstances: {{aws: {{connector: aws, config: {{{aws}}}}}}}\n"
    settings.write_text(text)
    with running(read(settings), clock.now) as service:
        yield service.url, made


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("service")) as (url, made):
        yield Service(url, made, made.incidents()[0])


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return settled(tmp_path, monkeypatch)


def test_the_queue_and_an_incident_can_be_read(service: Service) -> None:
    ran = service.run("viewer", "list")
    assert ran.code == 0 and fits(ran.out)
    assert any(line.startswith(service.first) for line in ran.out.splitlines())
    rows = msgspec.json.decode(service.run("viewer", "list", "--json").out, type=Queue).incidents
    assert service.first in {one.id for one in rows}
    assert service.run("viewer", "list", "--assignee", "nobody").out == "No incident like that.\n"
    assert service.run("viewer", "list", "--state", "odd").code == 2
    name = service.staged("INC-shown")
    view, out = service.seen(name), service.run("viewer", "show", name).out
    waits, placed = view.steps
    for text in (view.title, view.findings[0], waits.plan_hash, "isthmus incidents approve INC-shown", placed.lease_until):
        assert text in out
    assert service.run("viewer", "list", "--limit", "1").out.splitlines()[-1] == "More: --offset 1."


def test_approving_shows_the_plan_and_asks(service: Service) -> None:
    name = service.staged("INC-approve")
    (step,) = [one for one in service.seen(name).steps if one.waiting]
    ran = service.run("approver", "approve", name, answer="n\n")
    assert (ran.code, ran.told) == (1, ["isthmus: nothing was agreed to"])
    assert service.run("approver", "approve", name).code == 1
    assert [one.approvals for one in service.seen(name).steps] == [(), ()]
    ran = service.run("approver", "approve", name, "--reason", "looked twice", answer="y\n")
    assert ran.code == 0, ran.err
    assert json.dumps(json.loads(step.plan), indent=2) in ran.out and step.plan_hash in ran.out
    (word,) = service.seen(name).steps[0].approvals
    assert (word.person, word.granted, word.reason) == ("approver", True, "looked twice")


def test_a_script_names_the_plan(service: Service) -> None:
    name = service.staged("INC-script")
    assert "--plan-hash" in service.run("viewer", "show", name).out
    ran = service.run("approver", "approve", name, "--plan-hash", "0" * 64)
    assert ran.code == 1 and "may have changed since you looked" in ran.err
    (step,) = [one for one in service.seen(name).steps if one.waiting]
    assert service.run("approver", "approve", name, "--plan-hash", step.plan_hash).code == 0
    assert service.run("approver", "reject", name, "--reason", "no", "--plan-hash", step.plan_hash).code == 1


def test_of_several_that_wait_one_must_be_named(service: Service) -> None:
    made = service.made.another("INC-template")
    first, _ = made.current.steps or ()
    assert first.request is not None
    other = replace(first, request=replace(first.request, nonce="m" * 32, plan_hash="1" * 64))
    staged = replace(made, id="INC-two", rounds=(replace(made.current, steps=(first, other)),))
    with service.made.desk.store.writing() as connection:
        save(connection, service.made.desk.store.keys, Stored(staged, NEW), service.made.now, "incident.opened", {})
    ran = service.run("approver", "approve", "INC-two", answer="y\n")
    assert (ran.code, ran.told) == (2, ["isthmus: --plan-hash: 2 steps of INC-two wait; say which"])
    assert all(one.plan_hash in ran.out for one in service.seen("INC-two").steps)
    ran = service.run("approver", "approve", "INC-two", "--plan-hash", "1" * 64)
    assert ran.code == 1 and "not the one its hash is of" in ran.err


def test_a_plan_is_believed_only_when_its_hash_is_made_again(tmp_path: Path) -> None:
    made = furnished(tmp_path / "data")
    made.another("INC-odd")
    with made.desk.store.reading():
        view = made.desk.incident(made.desk.signed_in(made.keys["viewer"], made.now)[1], "INC-odd", made.now)
    swapped = msgspec.structs.replace(view.steps[0], plan=view.steps[0].plan.replace("i-0abc", "i-0xyz"))

    class Lying:
        def get(self, path: str, **wanted: object) -> bytes:
            return msgspec.json.encode(msgspec.structs.replace(view, steps=(swapped,)))

    lying: Any = Lying()
    with pytest.raises(Refused, match="not the one its hash is of"):
        deciding.asked(lying, "INC-odd", "", Console(quiet=True))


@pytest.mark.parametrize(
    ("who", "arguments", "kind"),
    [
        ("analyst", ["verdict", "ID", "benign_positive", "--reason", "a test"], "verdict benign_positive"),
        ("analyst", ["assign", "ID", "ada"], "assign ada"),
        ("analyst", ["assign", "ID"], "assign "),
        ("analyst", ["comment", "ID", "seen before"], "comment "),
        ("analyst", ["suppress", "ID", "--until", "3d", "--reason", "noise"], "suppress "),
        ("approver", ["accept-risk", "ID", "--until", "8h", "--reason", "known"], "accept_risk "),
        ("analyst", ["reopen", "ID", "--reason", "think again"], "reopen "),
    ],
)
def test_every_word_arrives(service: Service, who: str, arguments: list[str], kind: str) -> None:
    name = service.staged(f"INC-{arguments[0]}-{len(arguments)}")
    ran = service.run(who, *(name if one == "ID" else one for one in arguments))
    assert ran.code == 0 and ran.out.startswith(f"{name}: {arguments[0]}, on record at "), ran.err
    word = service.seen(name).words[-1]
    assert (f"{word.kind} {word.value}", word.person) == (kind, who)
    if "--until" in arguments:
        assert word.until[:13] == (clock.now() + timedelta(hours=8 if "8h" in arguments else 72)).isoformat()[:13]
    refused = service.run("viewer", *(name if one == "ID" else one for one in arguments))
    assert refused.code == 1 and len(refused.told) == 1 and "viewer (viewer)" in refused.err and "(request " in refused.err


def test_a_containment_is_renewed_and_taken_back(service: Service) -> None:
    name = service.staged("INC-placed")
    before = service.seen(name).steps[1]
    assert service.run("analyst", "renew", name, "--until", "3d").code == 1
    assert service.run("approver", "renew", name, "--until", "3d").code == 0
    assert service.seen(name).steps[1].lease_until > before.lease_until
    assert service.run("approver", "undo", name, "--reason", "x", "--target", "i-0zzz").code == 1
    assert service.run("analyst", "undo", name, "--reason", "too much").code == 0
    assert service.seen(name).steps[1].undo == "ordered by analyst: too much"


def test_rejecting_needs_a_reason_and_counts(service: Service) -> None:
    name = service.staged("INC-reject")
    assert service.run("approver", "reject", name).code == 2
    assert service.run("approver", "reject", name, "--reason", "not him").code == 0
    assert not service.seen(name).steps[0].approvals[0].granted


def test_incidents_are_split_and_merged(service: Service) -> None:
    service.made.delivered(sample("detection"))
    names = [one for one in service.made.incidents() if not one.startswith(("INC-s", "INC-two"))]
    both = [service.made.incident(one) for one in (service.first, next(n for n in names if n != service.first))]
    whole = replace(both[0], id="INC-whole", members=both[0].members + both[1].members)
    with service.made.desk.store.writing() as connection:
        save(connection, service.made.desk.store.keys, Stored(whole, NEW), service.made.now, "incident.opened", {})
    keys = service.seen("INC-whole").findings
    ran = service.run("analyst", "split", "INC-whole", keys[0], "--reason", "another story")
    assert ran.code == 0, ran.err
    other = ran.out.partition("(")[2].partition(")")[0]
    assert service.seen(other).findings == (keys[0],)
    assert service.run("analyst", "merge", "INC-whole", other, "--reason", "it was one").code == 0
    assert service.seen(other).merged_into == "INC-whole"


@pytest.mark.parametrize("until", ["soon", "2026-13-01", "3w", "2026-12-31T18:00", "0d"])
def test_a_time_that_is_none_is_wrong_use(service: Service, until: str) -> None:
    ran = service.run("analyst", "suppress", service.first, "--until", until, "--reason", "x")
    assert ran.code == 2 and "must be like 8h" in ran.err


@pytest.mark.parametrize("name", ["../me", "a/b", "..", "", "INC-1?x=y", "%2e%2e"])
def test_a_name_is_never_a_path(service: Service, name: str) -> None:
    assert service.run("analyst", "show", name).code == 2


def test_a_no_is_one_line_with_the_requests_id(service: Service, work: Path) -> None:
    ran = service.run("viewer", "show", "INC-none")
    assert (ran.code, len(ran.told)) == (1, 1)
    assert ran.err.startswith("isthmus: there is no such incident (request ")
    (work / "key").write_text("isk_000000000000_" + "a" * 43)
    ran = service.run("viewer", "list", "--key-file", "key")
    assert ran.code == 1 and "not known" in ran.err
    (work / "key").write_text(service.made.keys["viewer"] + "\n")
    assert isthmus("incidents", "list", "--server", service.url, "--key-file", "key").code == 0


def test_without_a_key_or_a_server_it_says_so(service: Service, work: Path) -> None:
    ran = isthmus("incidents", "list", "--server", service.url)
    assert ran.code == 2 and "ISTHMUS_KEY" in ran.err
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        ran = service.run("viewer", "list", "--server", url)
        assert ran.code == 4 and "cannot be reached" in ran.err and len(ran.told) == 1
        (work / "s.yaml").write_text(f"server: {{port: {nobody.getsockname()[1]}, url: {url}}}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISTHMUS_KEY", "isk_x")
        assert isthmus("incidents", "list", "--config", "s.yaml").told == ran.told


@pytest.mark.parametrize(
    ("url", "code"),
    [
        *[("http://isthmus.example", 1), ("http://10.0.0.1:8443", 1), ("ftp://127.0.0.1", 2), ("127.0.0.1:8443", 2)],
        *[("https://a:b@isthmus.example", 2), ("https://isthmus.example/v1", 2), ("https://[", 2), ("http://localhost:0", 2)],
    ],
)
def test_a_key_does_not_travel_in_the_clear(service: Service, url: str, code: int) -> None:
    assert service.run("viewer", "list", "--server", url).code == code


def test_a_private_authority_is_trusted_only_when_named(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    (tmp_path / "chain.pem").write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    with served(tmp_path, ", certificate: chain.pem, private_key: key.pem") as (url, made):
        service = Service(url, made, made.incidents()[0])
        ran = service.run("viewer", "list")
        assert ran.code == 4 and "CERTIFICATE_VERIFY_FAILED" in ran.err
        assert service.run("viewer", "list", "--authority", tmp_path / "ca.pem").code == 0
        assert service.run("viewer", "list", "--authority", tmp_path / "isthmus.yaml").code == 2


def test_no_option_takes_the_key() -> None:
    words = " ".join(str(one) for command in app.registered_groups for one in [command.name])
    assert "incidents" in words
    assert isthmus("incidents", "list", "--key", "isk_x").code == 2


def test_what_others_wrote_moves_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    wild = "\x1b[2J[red]a\u202eb\u200bc[/red]\x9b31m"
    row = QueueRow(wild, wild, wild, wild, 1, wild, "", "", "")
    incident_text.queue(Queue((row,), 25, 0, False), Console(markup=False, width=200))
    out = capsys.readouterr().out
    assert "[red]abc[/red]" in out and not {"\x1b", "\u202e", "\u200b", "\x9b"} & set(out)
