"""The way from outside to what matters, as nodes and edges."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A stop on the way. `role` is `outside`, `entry`, `step` or `goal`; `hop` is its distance from outside."""

    id: str
    kind: str
    label: str
    role: str
    hop: int


@dataclass(frozen=True, slots=True)
class Edge:
    source: str
    target: str
    label: str


@dataclass(frozen=True, slots=True)
class AttackPath:
    """`critical` is the id of the node without which no way leads from outside to a goal; empty when there are several ways."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    critical: str
