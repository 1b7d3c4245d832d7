"""What settings may say of the record."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from isthmus.contracts.wire import OriginUrl
from isthmus.model.errors import Untrusted
from isthmus.record.cosignatures import witness_key_of
from isthmus.record.export import Form


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WitnessSettings(_Frozen):
    """Who signs, with a key of their own, that the record only grew: `isthmus witness serve`, or any C2SP tlog-witness."""

    url: OriginUrl = Field(description="Where it answers: https, or loopback.")
    key: str = Field(description="Its public key in one line: `isthmus witness key`.")
    required: bool = Field(default=True, description="Whether containment waits while it is away. Cases never do.")

    @field_validator("key")
    @classmethod
    def _one(cls, value: str) -> str:
        try:
            witness_key_of(value)
        except Untrusted as error:
            raise ValueError(str(error)) from None
        return value


class ExportSettings(_Frozen):
    """The record as lines in a file, for a SIEM's shipper to follow."""

    file: Path = Field(description="Where the lines go. Beside it, FILE.cursor says how far they go.")
    format: Form = Field(default=Form.OCSF, description="ocsf (OCSF 1.6, Entity Management) or jsonl.")


class RecordSettings(_Frozen):
    """What the record is called, who witnesses it, and where it is sent."""

    origin: str = Field(
        default="isthmus",
        pattern=r"^[a-z0-9][a-z0-9./-]{0,199}$",
        description="The log's name in checkpoints, such as isthmus.example.com/record; unlike every other log's a witness "
        "knows. Choose it before the first start: it never changes.",
    )
    witness: WitnessSettings | None = Field(default=None, description="None: nobody but us says that it only grew.")
    export: ExportSettings | None = Field(default=None, description="None: nothing is exported.")
