"""A case is opened and updated like any other action: found, decided, previewed, put, read back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from isthmus.contracts.roles import CaseSink
from isthmus.model.assets import AssetKind
from isthmus.model.cases import Case, CaseRecord
from isthmus.model.errors import Refused
from isthmus.model.plans import Action, Outcome, Preview, Result, Target, version_of


@dataclass(frozen=True, slots=True)
class CaseHand:
    """Inventory and actuator over a `CaseSink`, for the case as it reads now."""

    system: str
    sink: CaseSink
    case: Case

    @property
    def abilities(self) -> tuple[str, ...]:
        return "case.open", "case.update"

    async def resolve(self, action: Action) -> Target:
        """The place of the case in the system; there is one for each incident."""
        handle = f"case:{self.system}/{self.case.key}"
        return Target(
            handle, self.case.key, AssetKind.OTHER, "case", self.system, provenance=f"{self.system} ({action.ability})"
        )

    async def preview(self, action: Action, target: Target, at: datetime) -> Preview:
        """What would be written. The case as it stands is left out of it: people work on it meanwhile."""
        before = {"key": self.case.key}
        verb = "open" if action.ability == "case.open" else "update"
        call = f"{self.system}: {verb} case {self.case.key}"
        return Preview(action.ability, target, action.parameters, (call,), before, version_of(before), at)

    async def apply(self, preview: Preview, token: str, at: datetime) -> Outcome:
        """Put and read back."""
        del preview, token
        return self._outcome(await self.sink.put(self.case), at)

    async def verify(self, preview: Preview, at: datetime) -> Outcome:
        """Whether the case is there as we would write it."""
        del preview
        found = await self.sink.read(self.case.key)
        if found is None or found.version != self.case.version:
            return Outcome(Result.FAILED, "not there yet" if found is None else "an older version is there", at)
        return self._outcome(found, at)

    async def undo(self, preview: Preview, at: datetime) -> Outcome:
        """Never: people close their cases."""
        del preview, at
        raise Refused(f"{self.system}: a case is closed by people, not taken back")

    def _outcome(self, found: CaseRecord, at: datetime) -> Outcome:
        if found.version != self.case.version:
            return Outcome(Result.FAILED, f"{self.system} {found.number} does not hold what was written", at, found.url)
        return Outcome(Result.DONE, f"{self.system} {found.number}, {found.state}", at, found.url, found.version)
