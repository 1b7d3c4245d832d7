"""The outside: platforms, a case system and a cloud that are never killed and keep their own record of what was done.

It lives in the harness's process (moto in one of its own). What it notes of every change are its own words: the call as it
came in over the network, and how long the product's ledger was at that moment, read from the database file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from bench.kills_books import Books
from bench.kills_life import ADA, BEN, ROSA
from bench.kills_noting import Delivery, Effect, Front, Host, Moment, Proxy, Scene
from bench.kills_server import Server
from sqlalchemy import URL

from isthmus import assembly
from isthmus.contracts.checks import drill
from isthmus.decide import bundle as bundles
from isthmus.lab.cloud import Cloud
from isthmus.lab.company import Home
from isthmus.lab.servers import Town
from isthmus.lab.world import POLICY
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.outside import Outside as Told
from isthmus.model.severity import Severity
from isthmus.record import grants, people
from isthmus.record.store import open_store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REGION = "eu-west-1"
DEV = Home("111111111111", "dev", "aws", REGION, "development", "engineering", "high")
PROD = Home("222222222222", "prod", "aws", REGION, "production", "payments", "high")
TABLE = "sn_si_incident"
_READ_ONLY = {"mode": "ro", "uri": "true"}
_ORCA_BUCKET, _ORCA_ATTACK, _ORCA_QUIET = "orca-900002", "orca-900001", "orca-900003"
_WIZ_ATTACK = "7f0c2d54-0a54-4f0e-9d53-000000000001"


class Outside:
    """Everything that stays up, with a PostgreSQL where `many` lives are to work. `fresh` makes the world anew for one run."""

    def __init__(self, folder: Path, many: bool = True) -> None:
        self._folder, self._many = folder, many
        self._running = ExitStack()
        self._number = 0
        self.scene: Scene

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._running.close()

    def _start(self) -> None:
        self.town = self._running.enter_context(Town(self._folder / "town"))
        self.cloud = self._running.enter_context(Cloud())
        for home in (DEV, PROD):
            self.cloud.open(home)
        proxy = Proxy(self.cloud.origin, self._moment, self._noted_cloud)
        threading.Thread(target=proxy.serve_forever, daemon=True, name="proxy").start()
        self._running.callback(proxy.server_close)
        self._running.callback(proxy.shutdown)
        self._endpoint = f"http://127.0.0.1:{proxy.server_address[1]}"
        self._fronts = {name: Front(self._noted(name), self._moment) for name in ("wiz", "orca", "servicenow")}
        self._origins = {name: self.town.serve(front) for name, front in self._fronts.items()}
        self._prepared(self._folder / "template", None)
        self.server = self._running.enter_context(Server(self._folder / "server", self._prepared_there)) if self._many else None

    def _moment(self, sender: str) -> Moment:
        ledger, holders = self.scene.books.moment()
        return Moment(ledger, sender, holders)

    def _noted(self, system: str) -> Callable[[str, str, bytes, Moment], None]:
        def noted(method: str, path: str, body: bytes, before: Moment) -> None:
            if system == "servicenow":
                told = json.loads(body)
                own = path.rsplit("/", 1)[-1]
                rows = self.scene.snow.tables.rows[TABLE]
                subject = told["correlation_id"] if method == "POST" else rows[own]["correlation_id"]
                self._keep(system, method, subject, hashlib.sha256(body).hexdigest(), before)

        return noted

    def _noted_cloud(self, said: dict[str, str], status: int, before: Moment) -> None:
        """A call to AWS that is no reading, on what it was, and whether AWS took it."""
        names = ("NetworkInterfaceId", "GroupId", "VpcId")
        subject = next((said[name] for name in names if name in said), "?")
        action = said.get("Action", "?") if status < 300 else f"refused {said.get('Action', '?')}"
        self._keep("aws", action, subject, said.get("SecurityGroupId.1", ""), before)

    def _keep(self, system: str, action: str, subject: str, group: str, before: Moment) -> None:
        self.scene.effects.append(Effect(system, action, subject, before.ledger, group, before.sender, before.holders))

    def _prepared(self, data: Path, url: URL | None) -> None:
        """An installation as it is before anything happens: people, and the policy put into force."""
        store = open_store(data, url)
        with store.writing() as connection:
            for one in (ADA, BEN, ROSA):
                people.put(connection, store.keys, one, NOW, "operator")
            grants.give(connection, store.keys, bundles.load(POLICY).digest, ROSA, "for this drill", NOW)
        store.close()

    def _prepared_there(self, url: URL) -> None:
        self._prepared(self._folder / "template-there", url)

    def fresh(self, shared: bool = False) -> Scene:
        """New platforms, new hosts, a new installation, on PostgreSQL when `shared`; the same alerts under the same ids."""
        self._number += 1
        here = self._folder / f"run-{self._number}"
        shutil.copytree(self._folder / ("template-there" if shared else "template"), here / "data")
        url = self.server.fresh() if shared and self.server is not None else None
        books = Books(url or URL.create("sqlite", database=f"file:{here / 'data' / 'isthmus.db'}", query=_READ_ONLY))
        simulated = {name: self._simulated(name) for name in self._fronts}
        hosts = {home.name: self._host(home) for home in (DEV, PROD)}
        # Whoever looks at the scene from here on sees the new one.
        self.scene = Scene(here / "data", here / "isthmus.yaml", hosts, (_WIZ_ATTACK,), (), simulated["servicenow"], books, url)
        instances = {
            f"{name}-main": {"connector": name, "config": one.config(self._origins[name], self.town.secret)}
            for name, one in simulated.items()
        }
        instances["wiz-main"]["config"] |= {"streams": ["detections"], "lookback_hours": 96}
        for home in (DEV, PROD):
            config = self.cloud.config(home.id, self.town.secret) | {"endpoint_url": self._endpoint}
            instances[f"aws-{home.name}"] = {"connector": "aws", "config": config}
        self._settings(instances, url)
        self.scene.deliveries = self._told(simulated, hosts, instances["orca-main"]["config"]["webhook_secret"])
        return self.scene

    def _simulated(self, name: str) -> Any:
        vendor = assembly.connector(name)
        assert vendor.simulated is not None
        self._fronts[name].app = (made := vendor.simulated()).app
        return made

    def _host(self, home: Home) -> Host:
        ec2 = self.cloud.client(home.id, "ec2")
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/20")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
        cards = [{"DeviceIndex": index, "SubnetId": subnet, "Groups": [group]} for index in range(2)]
        given = {"ImageId": "ami-12c6146b", "InstanceType": "t3.medium", "NetworkInterfaces": cards}
        made = ec2.run_instances(MinCount=2, MaxCount=2, **given)["Instances"]
        one, other = [(each["InstanceId"], [card["NetworkInterfaceId"] for card in each["NetworkInterfaces"]]) for each in made]
        return Host(home.id, one[0], vpc, group, tuple(one[1]), tuple(other[1]))

    def _settings(self, instances: dict[str, Any], url: URL | None) -> None:
        accounts = {
            home.id: {name: getattr(home, name) for name in ("name", "environment", "owner", "criticality")}
            for home in (DEV, PROD)
        }
        whole: dict[str, Any] = {
            "accounts": accounts,
            "instances": instances,
            "policy": str(POLICY),
            "data": str(self.scene.data.resolve()),
            "authority": str(self.town.authority.resolve()),
            "clocks": {"pull_seconds": 7_200, "approve_minutes": 720, "execute_minutes": 600},
        }
        if url is not None:
            named = URL.create("postgresql", username=url.username, database=url.database, query=url.query)
            whole["database"] = named.render_as_string()
        self.scene.settings.write_text(yaml.safe_dump(whole), encoding="utf-8")

    def _told(self, simulated: dict[str, Any], hosts: dict[str, Host], secret: str) -> tuple[Delivery, ...]:
        """What Wiz holds to be pulled, and the webhooks of Orca: one is sent twice, one is no alert at all."""
        wiz, orca = assembly.connector("wiz").simulator, assembly.connector("orca").simulator
        simulated["wiz"].hold(next(iter(wiz.payloads(_attack("wiz", _WIZ_ATTACK, hosts["dev"])))), NOW)
        bodies = []
        for finding in (_attack("orca", _ORCA_ATTACK, hosts["prod"]), _bucket(_ORCA_BUCKET), _quiet(_ORCA_QUIET)):
            flat, hook = list(orca.payloads(finding))[:2]
            simulated["orca"].hold(flat, NOW)
            bodies.append((json.dumps(hook), finding.source_id))
        bodies += [bodies[0], (json.dumps({"no": "alert"}), "")]
        word = Path(secret.removeprefix("file:")).read_text(encoding="utf-8")
        webhook = assembly.connector("orca").webhook
        assert webhook is not None
        headers = {"content-type": "application/json", webhook.header: webhook.prefix + word}
        return tuple(Delivery("/in/orca-main", headers, body, own) for body, own in bodies)

    def forget(self) -> None:
        """An empty cloud again, with the same accounts."""
        self.cloud.forget()
        for home in (DEV, PROD):
            self.cloud.open(home)

    def done(self) -> None:
        """The files of the scene, and its database, are not needed any more."""
        self.scene.books.close()
        if self.scene.url is not None and self.server is not None:
            self.server.drop(self.scene.url)
        shutil.rmtree(self.scene.data.parent, ignore_errors=True)

    def groups(self, host: Host) -> dict[str, list[str]]:
        """The groups of every interface in the VPC of this host, as AWS tells them now."""
        filters = [{"Name": "vpc-id", "Values": [host.vpc]}]
        said = self.cloud.client(host.account, "ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        return {one["NetworkInterfaceId"]: sorted(group["GroupName"] for group in one["Groups"]) for one in said}


def _attack(source: str, own: str, host: Host) -> Finding:
    plain = drill(Kind.THREAT, source)
    arn = f"arn:aws:ec2:{REGION}:{host.account}:instance/{host.instance}"
    asset = Asset(AssetKind.INSTANCE, "aws", host.account, REGION, plain.asset.name, (arn,))
    return replace(plain, source_id=own, asset=asset, severity=Severity.CRITICAL, ties=(), blocked=False)


def _bucket(own: str) -> Finding:
    plain = drill(Kind.MISCONFIGURATION, "orca")
    asset = Asset(AssetKind.BUCKET, "aws", DEV.id, REGION, Told("drill-logs"), ("arn:aws:s3:::drill-logs",))
    return replace(plain, source_id=own, asset=asset, severity=Severity.LOW, internet=None, ties=())


def _quiet(own: str) -> Finding:
    plain = drill(Kind.MISCONFIGURATION, "orca")
    role = Asset(AssetKind.ROLE, "aws", PROD.id, "", Told("ci"), (f"arn:aws:iam::{PROD.id}:role/ci",))
    return replace(plain, source_id=own, asset=role, severity=Severity.MEDIUM, internet=None, ties=())
