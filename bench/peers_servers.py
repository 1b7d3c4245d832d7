"""The peers, each installed from npm at one version and run as its makers document it for such a task; and ours.

All take the alert by an authenticated webhook, acknowledge it, and post a ticket with its id. Node-RED also drops an id it
has seen (in memory, which is where its context is unless told otherwise). n8n runs on PostgreSQL, main mode, saving
executions as it does by default; it is spared the removal of duplicates, and its slow expression engine is off.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psycopg
from sqlalchemy import make_url

HOME = Path(__file__).parent.parent / ".peers"
NODE, N8N, NODE_RED = "24.9.0", "2.39.0", "5.0.7"
_BIN = HOME / "node24" / "node_modules" / "node" / "bin"
SECRET = "a secret of forty-three letters, more or less"  # noqa: S105 - of a server that lives for a minute
_START = 240.0


def install() -> None:
    """Everything into the private folder, once; n8n is two gigabytes and takes minutes.

    n8n's packages run no scripts of their own: its Kafka client would be compiled, and is not used here.
    """
    wanted = (("node24", f"node@{NODE}", ()), ("red", f"node-red@{NODE_RED}", ()), ("n8n", f"n8n@{N8N}", ("--ignore-scripts",)))
    for name, package, options in wanted:
        if not (HOME / name / "node_modules" / package.partition("@")[0] / "package.json").is_file():
            print(f"installing {package} into {HOME / name}", flush=True)
            command = [
                "npm",
                "install",
                "--no-audit",
                "--no-fund",
                "--omit=dev",
                *options,
                "--prefix",
                str(HOME / name),
                package,
            ]
            (HOME / name).mkdir(parents=True, exist_ok=True)
            subprocess.run(command, check=True, env=_environment({}), stdout=subprocess.DEVNULL)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PATH": f"{_BIN}:{os.environ['PATH']}", **more}


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Peer:
    """A server in a process group of its own. `stored` is how many alerts its own store holds as worked off."""

    name, path = "", "/webhook/hook"

    def __init__(self, folder: Path, tickets: int) -> None:
        self.folder, self.tickets, self.port = folder, tickets, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again on what is on disk; returns once it takes deliveries."""
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            self.command(),
            cwd=self.folder,
            env=_environment(self.environment()),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        before = time.monotonic()
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > before + _START:
                raise RuntimeError(f"{self.name} did not start: {(self.folder / 'log').read_text()[-2_000:]}")
            time.sleep(0.3)

    def answers(self) -> bool:
        """Whether a delivery without the secret is turned away by whoever should."""
        request = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{{}}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2) as one:
            one.settimeout(5)
            one.sendall(request.encode())
            return one.recv(64)[9:12] in {b"401", b"403"}
        return False

    def cost(self) -> tuple[float, float]:
        """Seconds of CPU so far, and MiB at most, of all its processes."""
        assert self._process is not None
        cpu = memory = 0.0
        for pid in _family(self._process.pid):
            with suppress(OSError):
                after = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
                cpu += (int(after[11]) + int(after[12])) / os.sysconf("SC_CLK_TCK")
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
                memory += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
        return cpu, memory

    def kill(self) -> None:
        """As a power cut would; waits for its end."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def command(self) -> list[str]:
        """What is run."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What it is told by its environment."""
        return {}

    def stored(self) -> int:
        """How many alerts are durable in its own store."""
        return 0

    def settled(self) -> None:
        """Returns when what is stored will not change by itself."""


def _family(pid: int) -> list[int]:
    found = [pid]
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in path.read_text(encoding="ascii").split():
                found += _family(int(child))
    return found


class NodeRed(Peer):
    """A flow of five nodes; it stores nothing."""

    name, path = "Node-RED", "/hook"

    def command(self) -> list[str]:
        (self.folder / "flows.json").write_text(json.dumps(self._flow()), encoding="utf-8")
        settings = {"flowFile": "flows.json", "httpAdminRoot": False, "uiHost": "127.0.0.1", "apiMaxLength": "5mb"}
        (self.folder / "settings.js").write_text(f"module.exports = {json.dumps(settings)}", encoding="utf-8")
        cli = HOME / "red" / "node_modules" / "node-red" / "red.js"
        return ["node", str(cli), "--userDir", str(self.folder), "--port", str(self.port)]

    def _flow(self) -> list[dict[str, object]]:
        check = f"""
        if (msg.req.headers.authorization !== "Bearer {SECRET}") {{ msg.statusCode = 401; return [msg, null]; }}
        const seen = flow.get("seen") || new Set();
        const fresh = !seen.has(msg.payload.id);
        seen.add(msg.payload.id); flow.set("seen", seen);
        const id = msg.payload.id; msg.statusCode = 202; msg.payload = {{accepted: true}};
        return [msg, fresh ? {{payload: {{id}}, headers: {{"content-type": "application/json"}}}} : null];"""
        request = {"method": "POST", "url": f"http://127.0.0.1:{self.tickets}/", "ret": "txt", "persist": True}
        own: dict[str, object] = {"z": "tab"}
        return [
            {"id": "tab", "type": "tab", "label": "alerts"},
            {**own, "id": "in", "type": "http in", "url": "/hook", "method": "post", "wires": [["check"]]},
            {**own, "id": "check", "type": "function", "func": check, "outputs": 2, "wires": [["answer"], ["ticket"]]},
            {**own, "id": "answer", "type": "http response", "wires": []},
            {**own, "id": "ticket", "type": "http request", **request, "wires": [[]]},
        ]


class N8n(Peer):
    """A workflow of two nodes, acknowledged when it has started, each execution saved."""

    name = "n8n on PostgreSQL"

    def __init__(self, folder: Path, tickets: int, database: str) -> None:
        super().__init__(folder, tickets)
        self._database = database
        self._made = False

    def command(self) -> list[str]:
        cli = str(HOME / "n8n" / "node_modules" / "n8n" / "bin" / "n8n")
        if not self._made:
            self._made = True
            for name, content in (("credentials", self._credentials()), ("workflow", self._workflow())):
                (self.folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
                self._run([cli, f"import:{name}", f"--input={self.folder / f'{name}.json'}"])
            self._run([cli, "publish:workflow", "--id=alerts1"])
        return [cli, "start"]

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, env=_environment(self.environment()), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[1]}: {done.stdout[-1_000:]} {done.stderr[-1_000:]}")

    def environment(self) -> dict[str, str]:
        url = make_url(self._database)
        return {
            **{"DB_TYPE": "postgresdb", "DB_POSTGRESDB_HOST": str(url.query["host"]), "DB_POSTGRESDB_USER": "postgres"},
            **{"DB_POSTGRESDB_DATABASE": str(url.database), "N8N_USER_FOLDER": str(self.folder), "N8N_PORT": str(self.port)},
            **{"N8N_LISTEN_ADDRESS": "127.0.0.1", "N8N_EXPRESSION_ENGINE": "legacy", "N8N_DIAGNOSTICS_ENABLED": "false"},
            **{"N8N_VERSION_NOTIFICATIONS_ENABLED": "false", "N8N_TEMPLATES_ENABLED": "false", "N8N_LOG_LEVEL": "error"},
            **{"N8N_ENCRYPTION_KEY": "only for a bench", "N8N_RUNNERS_BROKER_PORT": str(free_port())},
            **{"EXECUTIONS_DATA_PRUNE": "false", "NODES_EXCLUDE": "[]", "N8N_PERSONALIZATION_ENABLED": "false"},
        }

    def _credentials(self) -> list[dict[str, object]]:
        data = {"name": "Authorization", "value": f"Bearer {SECRET}"}
        return [{"id": "secret1", "name": "secret", "type": "httpHeaderAuth", "data": data}]

    def _workflow(self) -> list[dict[str, object]]:
        hook = {
            "httpMethod": "POST",
            "path": "hook",
            "authentication": "headerAuth",
            "responseMode": "onReceived",
            "options": {},
        }
        ticket = {
            **{"method": "POST", "url": f"http://127.0.0.1:{self.tickets}/", "sendBody": True, "specifyBody": "json"},
            **{"jsonBody": "={{ JSON.stringify({id: $json.body.id}) }}", "options": {}},
        }
        secret = {"httpHeaderAuth": {"id": "secret1", "name": "secret"}}
        nodes = [
            {**_node("in", "n8n-nodes-base.webhook", 2, hook), "webhookId": "hook", "credentials": secret},
            _node("ticket", "n8n-nodes-base.httpRequest", 4.2, ticket),
        ]
        wires = {"in": {"main": [[{"node": "ticket", "type": "main", "index": 0}]]}}
        return [{"id": "alerts1", "name": "alerts", "nodes": nodes, "connections": wires, "settings": {}, "active": False}]

    def stored(self) -> int:
        with psycopg.connect(self._address()) as connection:
            row = connection.execute("SELECT count(*) FROM execution_entity WHERE status = 'success'").fetchone()
        return int(row[0]) if row else 0

    def _address(self) -> str:
        return make_url(self._database).set(drivername="postgresql").render_as_string(hide_password=False)


def _node(name: str, kind: str, version: float, parameters: Mapping[str, object]) -> dict[str, object]:
    return {"id": name, "name": name, "type": kind, "typeVersion": version, "position": [0, 0], "parameters": dict(parameters)}
