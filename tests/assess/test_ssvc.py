"""CISA's coordinator table, every row."""

from isthmus.assess.ssvc import decide

# cisa_coordinator 2.0.3, in the order of its rows: exploitation, automatable, impact, then mission low, medium, high.
ROWS = """none no partial track track track
none no total track track track*
none yes partial track track attend
none yes total track track attend
poc no partial track track track*
poc no total track track* attend
poc yes partial track track attend
poc yes total track track* attend
active no partial track track attend
active no total track attend act
active yes partial attend attend act
active yes total attend act act"""


def test_every_row() -> None:
    for row in ROWS.splitlines():
        exploitation, automatable, impact, *levels = row.split()
        for mission, level in zip(("low", "medium", "high"), levels, strict=True):
            assert decide(exploitation, automatable, impact, mission) == level
