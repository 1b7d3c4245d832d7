"""The company's AWS: moto's server as a process of its own, with every account of the company really furnished."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3  # type: ignore[import-untyped]
import httpx
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.loaders import create_loader  # type: ignore[import-untyped]
from botocore.session import Session as BotocoreSession  # type: ignore[import-untyped]

from isthmus.lab.company import Company, Home
from isthmus.lab.furnishing import furnish
from isthmus.lab.inspection import inspect
from isthmus.model.errors import Unreachable

ROLE, BREAK_GLASS = "isthmus", "break-glass"
_ROOT = ("AKIALABLABLABLABLAB1", "the-lab-s-own-secret")
_LISTENS = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
_STARTS_WITHIN, _STOPS_WITHIN = 30.0, 5.0
_ENVIRONMENT = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "AWS_EC2_METADATA_DISABLED": "true"}


class Cloud:
    """An AWS on 127.0.0.1, alone for whoever opened it; closing it forgets everything.

    `output` is the file the server writes to. Raises `Unreachable` when it does not start within half a minute.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="isthmus-cloud-")
        self.output = Path(self._folder.name) / "output.txt"
        self._regions: dict[str, str] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._models = create_loader()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        with self.output.open("wb") as written:
            self._server = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, env=_ENVIRONMENT)
        try:
            self.origin = self._awaited()
        except Unreachable:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server, and waits for its end."""
        self._hang_up()
        self._server.terminate()
        try:
            self._server.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._folder.cleanup()

    def forget(self) -> None:
        """Every account as if it had never been; what is used again has to be opened again."""
        self._hang_up()
        httpx.post(f"{self.origin}/moto-api/reset", trust_env=False).raise_for_status()

    def _hang_up(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def open(self, home: Home) -> None:
        """Makes an account ready to be used, still empty; it is separate because every session is of a role in it."""
        arn = f"arn:aws:iam::{home.id}:role/{ROLE}"
        sts = self._connected(self._session(_ROOT, home.region), "sts")
        said = sts.assume_role(RoleArn=arn, RoleSessionName="lab")["Credentials"]
        sts.close()
        keys = (said["AccessKeyId"], said["SecretAccessKey"], said["SessionToken"])
        session = self._session(keys, home.region)
        self._regions[home.id] = home.region
        for name in ("ec2", "iam", "s3"):
            self._clients[home.id, name] = self._connected(session, name)

    def furnish(self, company: Company) -> Mapping[str, str]:
        """Creates what the company has in its AWS accounts: networks, groups, instances, buckets, users and their keys.

        Returns the ids AWS gave, by the company's invented ones: instances, security groups and access keys. Buckets and
        users keep their names.
        """
        homes = [home for home in company.homes if home.provider == "aws"]
        for home in homes:
            self.open(home)
        with ThreadPoolExecutor(max_workers=2) as several:
            given = several.map(lambda home: furnish(company, home, self._clients_of(home.id)), homes)
            return {invented: real for each in given for invented, real in each.items()}

    def state(self, account: str) -> dict[str, Any]:
        """Everything of an account that a containment could change, in one form: two looks at the same are equal.

        Interfaces and their groups (as instance and as interface), groups and their rules without our isolation groups,
        keys and their status, buckets' policies and public-access blocks.
        """
        return inspect(self._clients_of(account))

    def config(self, account: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """Settings for an instance of the `aws` connector; `secrets(name, value)` stores a secret and returns its reference."""
        return {
            "account": account,
            "regions": [self._regions[account]],
            "role_arn": f"arn:aws:iam::{account}:role/{ROLE}",
            "access_key_id": secrets("lab-aws-key-id", _ROOT[0]),
            "secret_access_key": secrets("lab-aws-key", _ROOT[1]),
            "endpoint_url": self.origin,
            "break_glass": [f"arn:aws:iam::{account}:role/{BREAK_GLASS}"],
        }

    def client(self, account: str, name: str) -> Any:
        """A client of AWS's own kind for one account, with every right: the hand of whoever works there beside us."""
        return self._clients[account, name]

    def _clients_of(self, account: str) -> Callable[[str], Any]:
        return lambda name: self._clients[account, name]

    def _session(self, keys: tuple[str, ...], region: str) -> Any:
        """A session of AWS's client; what it knows of AWS's services is read once for all accounts."""
        inner = BotocoreSession()
        inner.register_component("data_loader", self._models)
        return boto3.session.Session(*keys, region_name=region, botocore_session=inner)

    def _connected(self, session: Any, name: str) -> Any:
        settings = Config(
            retries={"total_max_attempts": 1},
            proxies={},
            s3={"addressing_style": "path"},
            ignore_configured_endpoint_urls=True,
        )
        return session.client(name, endpoint_url=self.origin, config=settings)

    def _awaited(self) -> str:
        """The address the server listens on, as soon as it answers there."""
        until = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < until and self._server.poll() is None:
            said = _LISTENS.search(self.output.read_text(encoding="utf-8", errors="replace"))
            if said and self._answers(said[1]):
                return said[1]
            time.sleep(0.05)
        last = self.output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise Unreachable(f"the lab's AWS (moto) did not start: {last[0] if last else 'it said nothing'}")

    def _answers(self, origin: str) -> bool:
        try:
            return httpx.get(f"{origin}/moto-api/data.json", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False
