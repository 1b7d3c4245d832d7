"""`isthmus config check`: everything wrong is said at once, each with file, key and line; what is odd is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.doors.commands import fits, isthmus, settled

from isthmus import assembly

PACK = Path(assembly.__file__).parent / "lab/policy"
WIZ = '{api_origin: "https://127.0.0.1:9", client_id: "file:secret", client_secret: "file:secret"%s}'
SET, NOT_SET = ', webhook_secret: "file:secret"', ', webhook_secret: "env:NOT_SET_HERE"'


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = settled(tmp_path, monkeypatch)
    (folder / "secret").write_text("open sesame")
    (folder / "certificate.pem").write_text("nonsense")
    (folder / "guard.yaml").write_text("per_hour: 5\nper_hour: 6\n")
    (folder / "pack").mkdir()
    (folder / "pack/golden.yaml").write_bytes((PACK / "golden.yaml").read_bytes())
    (folder / "pack/x.cedar").write_text('@id("x")\npermit (principal, action, resource);\n')
    return folder


def checked(work: Path, text: str) -> tuple[int, list[str]]:
    (work / "isthmus.yaml").write_text(text)
    ran = isthmus("config", "check")
    assert "open sesame" not in ran.out + ran.err
    return ran.code, ran.told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: [", "isthmus.yaml line 2: not YAML"),
        ("\nretention: {raw_days: none}", "isthmus.yaml line 2: retention.raw_days: Input should be a valid integer"),
        ("sever: {}", "isthmus.yaml line 1: sever: unknown key"),
        ("instances:\n  Wiz: {connector: wiz}", "isthmus.yaml line 1: instances: "),
        ("instances:\n  w:\n    connector: wizz", "isthmus.yaml line 3: instances.w.connector: wizz: no such connector"),
        ("instances:\n  f: {connector: falco}", "isthmus.yaml line 2: instances.f: Falco is read from exports only"),
        ("instances:\n  w:\n    connector: wiz\n    config: {x: y}", "isthmus.yaml line 4: instances.w.config.x: unknown key"),
        (
            "instances:\n  w:\n    connector: wiz\n    config: {api_origin: 'http://wiz.example'}",
            "isthmus.yaml line 4: instances.w.config.api_origin: Value error, must be an https origin",
        ),
        (
            "instances:\n  w:\n    connector: wiz\n    config:\n      client_secret: open sesame",
            "isthmus.yaml line 5: instances.w.config.client_secret: Value error, must be a reference",
        ),
        (
            f"instances:\n  w:\n    connector: wiz\n    config: {WIZ % NOT_SET}",
            "isthmus.yaml line 4: instances.w.config.webhook_secret: secret env:NOT_SET_HERE: is not set or empty",
        ),
        ("\npolicy: nowhere", "isthmus.yaml line 2: policy: nowhere: No such file or directory"),
        ("policy: pack", "isthmus.yaml line 1: policy: x.cedar line 1: x: a permit must say for which action"),
        ("guard: guard.yaml", "isthmus.yaml line 1: guard: guard.yaml line 2: guard: per_hour: key written twice"),
        ("guard: none.yaml", "isthmus.yaml line 1: guard: none.yaml: guard: No such file"),
        ("\nauthority: secret", "isthmus.yaml line 2: authority: certificate authority secret: "),
        ("server:\n  host: everywhere", "isthmus.yaml line 2: server.host: must be an IP address"),
        ("server: {host: 0.0.0.0}", "isthmus.yaml line 1: server: beyond loopback it needs certificate"),
        ("server: {certificate: certificate.pem}", "isthmus.yaml line 1: server: certificate and private_key go together"),
        (
            "server:\n  private_key: secret\n  certificate: certificate.pem",
            "isthmus.yaml line 3: server.certificate: not a PEM chain",
        ),
        (
            "server:\n  private_key: none\n  certificate: none",
            "isthmus.yaml line 3: server.certificate: cannot be read with its private key: No such file",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_key_and_line(work: Path, text: str, said: str) -> None:
    code, told = checked(work, f"{text}\n")
    assert code == 2
    assert any(line.removeprefix("isthmus: ").startswith(said) for line in told), told
    assert "Traceback" not in "".join(told)


def test_everything_wrong_is_said_at_once(work: Path) -> None:
    text = (
        "policy: nowhere\nguard: guard.yaml\nserver: {host: 0.0.0.0}\n"
        "instances:\n  a: {connector: nope}\n  b: {connector: wiz, config: {z: 1}}\n"
    )
    code, told = checked(work, text)
    assert code == 2
    assert isthmus("serve").told == isthmus("serve", "--check").told == told
    places = [line.removeprefix("isthmus: ").split(": ")[:2] for line in told]
    assert places[:4] == [
        ["isthmus.yaml line 3", "server"],
        ["isthmus.yaml line 2", "guard"],
        ["isthmus.yaml line 1", "policy"],
        ["isthmus.yaml line 5", "instances.a.connector"],
    ]
    assert {tuple(one) for one in places[4:]} == {
        ("isthmus.yaml line 6", f"instances.b.config.{key}") for key in ("z", "api_origin", "client_id", "client_secret")
    }


def test_what_is_probably_not_meant_is_a_warning(work: Path) -> None:
    aws = '{account: "210987654321", access_key_id: "env:NOT_SET_HERE", secret_access_key: "file:secret"}'
    text = (
        f'accounts:\n  "111122223333": {{name: a}}\n  "444455556666": {{environment: sandbox}}\n'
        f"instances:\n  wiz: {{connector: wiz, config: {WIZ % ''}}}\n  aws:\n    connector: aws\n    config: {aws}\n"
    )
    code, told = checked(work, text)
    assert code == 0
    assert told == [
        "warning: isthmus.yaml line 2: accounts.111122223333: has no environment; it counts as production",
        "warning: isthmus.yaml line 2: accounts.111122223333: no instance covers it; nothing can be contained there",
        "warning: isthmus.yaml line 3: accounts.444455556666: no instance covers it; nothing can be contained there",
        "warning: isthmus.yaml line 5: instances.wiz: has no webhook_secret; its webhooks are turned away",
        "warning: isthmus.yaml line 6: instances.aws: accounts does not name 210987654321; it counts as production",
        "warning: isthmus.yaml line 8: instances.aws.config.access_key_id: secret env:NOT_SET_HERE: is not set or empty; "
        "this platform could not be spoken to",
    ]


def test_a_sound_file_is_summed_up(work: Path) -> None:
    text = (
        f"policy: {PACK}\ndata: data\nretention: {{raw_days: 7}}\naccounts: {{'210987654321': {{environment: sandbox}}}}\n"
        f"instances:\n  wiz-main: {{connector: wiz, tenant: north, config: {WIZ % SET}}}\n"
        "  aws-main: {connector: aws, config: {account: '210987654321'}}\n"
    )
    (work / "isthmus.yaml").write_text(text)
    ran = isthmus("config", "check")
    assert (ran.code, ran.told) == (0, [])
    words = " ".join(ran.out.split())
    assert "11 policies" in words and "20 an hour" in words and "deliveries 7 days" in words
    assert "nobody has put pack policy" in words and not (work / "data").exists()
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["wiz-main", "wiz", "north", "webhook,", "pull,", "refetch"] in rows
    assert ["aws-main", "aws", "default", "inventory,", "actuator"] in rows
    assert fits("\n".join(line for line in ran.out.splitlines() if "sha256" not in line and str(work) not in line))


def test_without_a_file_the_defaults_are_sound(work: Path) -> None:
    ran = isthmus("config", "check")
    assert ran.code == 0 and "the settings name no policy" in " ".join(ran.out.split())
