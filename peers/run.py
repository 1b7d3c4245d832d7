"""Official clients against our simulated platforms: whoever wrote the client did not write the simulator.

Each folder here is one platform: `requirements.txt` pins the client, `ours.py` runs the simulator and our side of it in
this project's environment, `peer.py` runs the client in an environment of its own under `.peers/`. Exits with 1 when
anything was wrong.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PEERS = Path(__file__).parent.resolve()
ENVIRONMENTS = PEERS.parent / ".peers"
PATIENCE = 300.0


class Answer(NamedTuple):
    """One call and whether it was answered as the client's documentation says."""

    who: str
    version: str
    call: str
    right: bool
    saw: str


def environment(name: str) -> Path:
    """The client's own Python, with exactly what its requirements say."""
    folder, wanted = ENVIRONMENTS / name, (PEERS / name / "requirements.txt").read_text(encoding="utf-8")
    python, stamp = folder / "bin" / "python", folder / ".installed"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(PEERS / name / "requirements.txt")], check=True, timeout=PATIENCE)
        stamp.write_text(wanted, encoding="utf-8")
    return python


@contextmanager
def platform(name: str) -> Iterator[subprocess.Popen[str]]:
    """The simulated platform, running until the block is left."""
    script = str(PEERS / name / "ours.py")
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def answers(name: str) -> Iterator[Answer]:
    """What the client saw of the platform, then what our own side saw of the client."""
    python = environment(name)
    with platform(name) as process:
        where = process.stdout.readline() if process.stdout else ""
        if not where:
            yield Answer(name, "", "the simulated platform starts", False, "it ended")
            return
        trusted = json.loads(where)["authority"]
        env = {**os.environ, "SSL_CERT_FILE": trusted, "REQUESTS_CA_BUNDLE": trusted}  # noqa: TID251 - a lane of its own
        command = [str(python), "-W", "error::DeprecationWarning:__main__", str(PEERS / name / "peer.py")]
        told = subprocess.run(command, input=where, capture_output=True, text=True, env=env, timeout=PATIENCE, check=False)
        yield from _read(told.stdout)
        if told.returncode:
            yield Answer(name, "", "the client runs to its end", False, told.stderr[-2_000:])
        ours, _ = process.communicate("look\n", timeout=PATIENCE)
        yield from _read(ours)


def _read(lines: str) -> Iterator[Answer]:
    for line in lines.splitlines():
        said: dict[str, Any] = json.loads(line)
        yield Answer(said["who"], said["version"], said["call"], bool(said["right"]), str(said["saw"]))


def table(found: list[Answer]) -> str:
    """One line a client, and one for every call that was not answered right."""
    rows = [("client", "version", "calls", "answered right")]
    for who, version in dict.fromkeys((one.who, one.version) for one in found):
        own = [one for one in found if (one.who, one.version) == (who, version)]
        rows.append((who, version, str(len(own)), str(sum(one.right for one in own))))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    wrong = [f"WRONG {one.who}: {one.call}: saw {one.saw}" for one in found if not one.right]
    return "\n".join([*lines, *wrong])


def main(names: list[str]) -> int:
    """Run the named platforms, or all of them."""
    known = sorted(path.parent.name for path in PEERS.glob("*/requirements.txt"))
    found = [answer for name in names or known for answer in answers(name)]
    loud = [f"  {one.call}: {'right' if one.right else 'WRONG'} ({one.saw[:100]})" for one in found]
    sys.stdout.write("\n".join([*loud, "", table(found)]) + "\n")
    return 0 if found and all(one.right for one in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
