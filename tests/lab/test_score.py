"""The score of tiny triages, worked out by hand."""

from typing import Any

import msgspec
import pytest

from isthmus.answer.document import CountsRow, FindingRow, IncidentRow, TriageDocument
from isthmus.lab.score import score, severity_sort
from isthmus.lab.truth import Truth, TruthClaim, TruthStory

ATTACK = TruthStory("attack-1", "attack", "theft", "Somebody took something.")
NEAR = TruthStory("near_miss-2", "near_miss", "test", "Nobody took anything.")
EMPTY: dict[str, Any] = dict.fromkeys(IncidentRow.__struct_fields__, "")
EMPTY |= dict.fromkeys(("missing", "score_reasons", "assets", "cves", "controls", "findings", "actions", "remediation"), ())


def claim(number: int, role: str, severity: int = 3, kind: str = "threat", is_open: bool = True) -> TruthClaim:
    story = {"attack": ATTACK.id, "near_miss": NEAR.id, "context": ATTACK.id}.get(role, "")
    return TruthClaim("wiz", str(number), kind, role, story, severity, f"2026-03-02T{number:02d}:00:00+00:00", is_open)


def incident(*numbers: int, scope: str = "story") -> IncidentRow:
    rows = tuple(FindingRow("wiz", str(number), "threat", "", "medium", "", "") for number in numbers)
    return msgspec.structs.replace(IncidentRow(**EMPTY), findings=rows, scope=scope)


def document(*incidents: IncidentRow, seen: int = 8) -> TriageDocument:
    return TriageDocument("1.1", "", CountsRow(seen, seen, 0, 0), (), (), (), (), incidents)


def truth(*claims: TruthClaim) -> Truth:
    return Truth(1, "small", "2026-03-02", len(claims), (ATTACK, NEAR), claims)


THREE = [claim(number, "attack") for number in (1, 2, 3)]
DAY = truth(*THREE, claim(4, "near_miss"), claim(5, "near_miss"), claim(6, "noise"), claim(7, "noise"), claim(8, "context"))


def test_a_perfect_triage() -> None:
    result = score(document(incident(1, 2, 3), incident(4, 5), incident(6, 7)), DAY)
    assert (result.precision, result.recall, result.kept) == (1.0, 1.0, 1.0)
    assert (result.attacks[0].rank, result.attacks[0].held, result.best_near_miss) == (1, 1.0, 2)
    assert result.fold == pytest.approx(8 / 3)
    assert (result.found, result.claims, result.incidents) == (1, 8, 3)


def test_noise_in_a_story_costs_precision_and_context_costs_nothing() -> None:
    # Pairs with a story claim: 1-2, 1-3, 2-3 right; 1-6, 2-6, 3-6 wrong. The context claim 8 does not count.
    assert score(document(incident(1, 2, 3, 6, 8)), DAY).precision == 0.5
    # Noise with noise is nobody's business.
    assert score(document(incident(1, 2, 3), incident(6, 7)), DAY).precision == 1.0


def test_two_stories_in_one_are_wrong_pairs() -> None:
    # Ten pairs, of which three and one are right.
    result = score(document(incident(1, 2, 3, 4, 5)), DAY)
    assert result.precision == 0.4
    assert result.recall == 1.0


def test_a_torn_story_costs_recall_and_ranks_where_most_of_it_is() -> None:
    result = score(document(incident(1), incident(6, 7), incident(2, 3)), DAY)
    assert result.attacks[0].rank == 3
    assert result.attacks[0].held == pytest.approx(2 / 3)
    assert result.recall == 0.25
    assert result.kept == 1.0


def test_the_backlog_is_told_apart() -> None:
    result = score(document(incident(1, 2, 3), incident(4, 6, scope="backlog")), DAY)
    assert (result.precision, result.precision_queue) == (0.75, 1.0)


def test_what_was_lost_is_said() -> None:
    result = score(document(incident(1)), DAY)
    assert result.kept == pytest.approx(1 / 3)
    lost = score(document(incident(6)), DAY)
    assert (lost.attacks[0].rank, lost.found, lost.best_near_miss, lost.kept) == (None, 0, None, 0.0)


def test_an_attack_below_the_first_ten_is_not_found() -> None:
    result = score(document(*[incident(6)] * 10, incident(1, 2, 3)), DAY)
    assert (result.attacks[0].rank, result.found) == (11, 0)


def test_the_severity_sort_is_of_open_claims_the_newest_first() -> None:
    claims = [claim(1, "noise", 3), claim(2, "noise", 5, is_open=False), claim(3, "attack", 5), claim(4, "noise", 3)]
    assert [one.source_id for one in severity_sort(claims)] == ["3", "4", "1"]


def test_the_severity_sort_finds_an_attack_by_any_claim_of_it() -> None:
    loud = [claim(number, "noise", 5, "vulnerability") for number in range(10, 20)]
    result = score(document(incident(1)), truth(*loud, claim(1, "attack", 4), claim(2, "attack", 2)))
    assert (result.attacks[0].by_severity, result.found_by_severity) == (11, 0)
    assert (result.attacks[0].by_threats, result.found_by_threats) == (1, 1)


def test_ratios_of_nothing_are_one() -> None:
    result = score(document(seen=0), truth())
    assert (result.precision, result.recall, result.fold, result.kept) == (1.0, 1.0, 1.0, 1.0)
