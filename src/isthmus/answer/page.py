"""The triage as one self-contained page."""

from __future__ import annotations

from isthmus.answer.report import TriageDocument


def page(document: TriageDocument) -> str:
    return document.schema_version
