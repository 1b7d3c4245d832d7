"""What AWS's refusals and silences become, on a wire that answers whatever it is told to."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError
from tests.connectors.aws_account import Kept

from isthmus.connectors.aws import clients
from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.config import AwsConfig
from isthmus.connectors.aws.deactivate_access_key import owner_and_status
from isthmus.connectors.aws.errors import Denied
from isthmus.model.errors import IsthmusError, Refused, Unreachable

OWN = "210987654321"
CANARY = "canary-7d11-never-shown"
Answer = tuple[int, str]
CALLER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:iam::{OWN}:user/isthmus</Arn><UserId>A</UserId><Account>{OWN}</Account>"
    "</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)
EMPTY = (
    '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId><reservationSet/>'
    "</DescribeInstancesResponse>"
)


def ec2(code: str) -> str:
    inner = f"<Error><Code>{code}</Code><Message>Encoded message: {CANARY}</Message></Error>"
    return f"<Response><Errors>{inner}</Errors><RequestID>1</RequestID></Response>"


def query(code: str) -> str:
    inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{CANARY}</Message></Error>"
    return f"<ErrorResponse>{inner}<RequestId>1</RequestId></ErrorResponse>"


class Wire:
    """A server that answers by action (S3: by method); what it was not told about is an empty list of instances."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[BaseHTTPRequestHandler], None]] = {"GetCallerIdentity": (200, CALLER)}
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        wire = self

        class Speaking(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wire.answer(self)

            do_POST = do_PUT = do_GET

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Speaking)
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, speaking: BaseHTTPRequestHandler) -> None:
        body = speaking.rfile.read(int(speaking.headers.get("content-length") or 0)).decode()
        action = parse_qs(body).get("Action", [speaking.command])[0]
        self.asked[action] += 1
        self.headers.append(dict(speaking.headers.items()))
        told = self.answers.get(action, (200, EMPTY))
        if callable(told):
            told(speaking)
            return
        speaking.send_response(told[0])
        speaking.send_header("content-length", str(len(told[1].encode())))
        speaking.end_headers()
        speaking.wfile.write(told[1].encode())

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.setattr(clients, "_ATTEMPTS", 1)
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    wire = Wire()
    yield wire
    wire.close()


def aws(wire: Wire, **settings: object) -> Aws:
    kept = Kept()
    keys = {"access_key_id": kept.keep("id", "AKIATESTTESTTESTTEST"), "secret_access_key": kept.keep("key", CANARY)}
    given = {"account": OWN, "regions": ["eu-west-1"], "endpoint_url": wire.origin} | keys | settings
    return Aws(AwsConfig.model_validate(given), kept)


def instances(way: Aws) -> None:
    way.ask("ec2", "describe_instances", "eu-west-1", InstanceIds=["i-01234567"])


def closed(speaking: BaseHTTPRequestHandler) -> None:
    speaking.close_connection = True


def cut(speaking: BaseHTTPRequestHandler) -> None:
    speaking.send_response(200)
    speaking.send_header("content-length", "100000")
    speaking.end_headers()
    speaking.wfile.write(b"<Describe")
    speaking.close_connection = True


def slow(speaking: BaseHTTPRequestHandler) -> None:
    time.sleep(0.6)


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ((503, ec2("RequestLimitExceeded")), Unreachable, "ec2:DescribeInstances: RequestLimitExceeded"),
        ((400, ec2("Throttling")), Unreachable, "ec2:DescribeInstances: Throttling"),
        ((429, ec2("SomethingNew")), Unreachable, "ec2:DescribeInstances: SomethingNew"),
        ((500, ec2("InternalError")), Unreachable, "ec2:DescribeInstances: InternalError"),
        ((502, ec2("SomethingElse")), Unreachable, "ec2:DescribeInstances: SomethingElse"),
        ((503, ec2("Unavailable")), Unreachable, "ec2:DescribeInstances: Unavailable"),
        ((403, ec2("UnauthorizedOperation")), Refused, "ec2:DescribeInstances: UnauthorizedOperation"),
        ((401, ec2("AuthFailure")), Refused, "ec2:DescribeInstances: AuthFailure"),
        ((400, ec2("InvalidInstanceID.NotFound")), Refused, "ec2:DescribeInstances: InvalidInstanceID.NotFound"),
        ((400, ec2("InvalidParameterValue")), Refused, "ec2:DescribeInstances: InvalidParameterValue"),
        ((400, ec2("\u202eevil")), Refused, "ec2:DescribeInstances: status 400"),
        ((200, "<html>sign in to the hotel"), Unreachable, "ec2:DescribeInstances: answered something that cannot be read"),
        ((200, "<html><p>sign in</p></html>"), Unreachable, "ec2:DescribeInstances: answered something that cannot be read"),
        ((200, EMPTY[:-20]), Unreachable, "ec2:DescribeInstances: answered something that cannot be read"),
        (closed, Unreachable, "ec2:DescribeInstances: AWS did not answer"),
        (cut, Unreachable, "ec2:DescribeInstances: answered something that cannot be read"),
        (slow, Unreachable, "ec2:DescribeInstances: AWS did not answer (ReadTimeoutError)"),
    ],
)
def test_an_answer_is_what_the_caller_can_do_about_it(
    wire: Wire, answer: Answer, kind: type[IsthmusError], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_READ_SECONDS", 0.3)
    wire.answers["DescribeInstances"] = answer
    with pytest.raises(kind) as caught:
        instances(aws(wire))
    assert str(caught.value).startswith(text)
    assert CANARY not in repr(caught.value)


def test_other_protocols_of_aws_are_told_alike(wire: Wire) -> None:
    wire.answers |= {
        "UpdateAccessKey": (409, query("ConcurrentModification")),
        "ListAccessKeys": (404, query("NoSuchEntity")),
        "GET": (409, "<Error><Code>OperationAborted</Code><Message>x</Message></Error>"),
        "PUT": (403, f"<Error><Code>AccessDenied</Code><Message>{CANARY}</Message></Error>"),
    }
    way = aws(wire)
    with pytest.raises(Unreachable, match=r"^iam:UpdateAccessKey: ConcurrentModification$"):
        way.ask("iam", "update_access_key", UserName="a", AccessKeyId="AKIATESTTESTTESTTEST", Status="Inactive")
    with pytest.raises(Denied, match=r"^iam:ListAccessKeys: NoSuchEntity$"):
        way.ask_all("iam", "list_access_keys", UserName="a")
    with pytest.raises(Unreachable, match=r"^s3:GetBucketPolicy: OperationAborted$"):
        way.ask("s3", "get_bucket_policy", Bucket="bucket")
    with pytest.raises(Denied, match=r"^s3:PutBucketPolicy: AccessDenied$"):
        way.ask("s3", "put_bucket_policy", Bucket="bucket", Policy="{}")


def test_a_call_that_is_malformed_or_goes_nowhere(wire: Wire) -> None:
    with pytest.raises(Refused, match=r"^ec2:DescribeInstances: ParamValidationError$"):
        aws(wire).ask("ec2", "describe_instances", InstanceIds=7)
    with pytest.raises(Unreachable, match="EndpointConnectionError"):
        instances(aws(wire, endpoint_url="http://127.0.0.1:9"))


def test_few_attempts_and_a_name_in_the_log_of_aws(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_ATTEMPTS", 2)
    wire.answers["DescribeInstances"] = (503, ec2("RequestLimitExceeded"))
    with pytest.raises(Unreachable):
        instances(aws(wire))
    assert wire.asked["DescribeInstances"] == 2
    assert all("isthmus" in one["User-Agent"] for one in wire.headers)
    assert all(one["Authorization"].startswith("AWS4-HMAC-SHA256") for one in wire.headers)


def test_who_we_are_is_asked_once_and_before_anything_else(wire: Wire) -> None:
    way = aws(wire)
    assert wire.asked.total() == 0
    for _ in range(3):
        instances(way)
    assert wire.asked == {"GetCallerIdentity": 1, "DescribeInstances": 3}
    other = aws(wire, account="111122223333")
    for _ in range(2):
        with pytest.raises(Refused, match=f"of account {OWN}, the settings of 111122223333"):
            instances(other)
    assert wire.asked["DescribeInstances"] == 3


def test_a_role_that_may_not_be_assumed_is_named_as_what_failed(wire: Wire) -> None:
    wire.answers["AssumeRole"] = (403, query("AccessDenied"))
    way = aws(wire, role_arn=f"arn:aws:iam::{OWN}:role/isthmus")
    with pytest.raises(Refused, match=r"^AssumeRole \(before sts:GetCallerIdentity\): AccessDenied$"):
        instances(way)
    assert wire.asked == {"AssumeRole": 1}


def test_without_settings_for_credentials_botocore_looks_itself(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = tmp_path_factory.mktemp("profile") / "credentials"
    kept.write_text("[emergency]\naws_access_key_id=AKIAPROFILEPROFILE00\naws_secret_access_key=x\n", encoding="utf-8")
    for name, value in {"AWS_SHARED_CREDENTIALS_FILE": str(kept), "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    none = {"access_key_id": None, "secret_access_key": None}
    instances(aws(wire, **none, profile="emergency"))
    assert "AKIAPROFILEPROFILE00" in wire.headers[-1]["Authorization"]
    with pytest.raises(Refused, match="does not hold this profile"):
        instances(aws(wire, **none, profile="nobody"))
    with pytest.raises(Refused, match="credentials are missing"):
        instances(aws(wire, **none))


def test_the_environment_does_not_lead_to_another_aws(wire: Wire) -> None:
    """`wire` has set AWS_ENDPOINT_URL; making a client opens nothing."""
    for service in ("ec2", "sts"):
        made = aws(wire, endpoint_url=None)._opened(service, "eu-west-1")
        assert made.meta.endpoint_url == f"https://{service}.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("said", ["UserName=", "UserName=<root_account>", "UserName=a/../b"])
def test_a_key_of_nobody_who_can_be_named_is_refused_before_anything_else_is_asked(wire: Wire, said: str) -> None:
    user = said.removeprefix("UserName=").replace("<", "&lt;").replace(">", "&gt;")
    named = f"<UserName>{user}</UserName>" if user else ""
    wire.answers["GetAccessKeyLastUsed"] = (
        200,
        f"<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult>{named}</GetAccessKeyLastUsedResult>"
        "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetAccessKeyLastUsedResponse>",
    )
    with pytest.raises(Refused, match="not the key of a user"):
        owner_and_status(aws(wire), "AKIATESTTESTTESTTEST")
    assert wire.asked["ListAccessKeys"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": "12345678901"},
        {"account": "１23456789012"},
        {"regions": []},
        {"regions": ["eu-west-1", "../elsewhere"]},
        {"role_arn": "arn:aws:iam::111122223333:role/other"},
        {"role_arn": f"arn:aws:iam::{OWN}:role/*"},
        {"external_id": "env:X"},
        {"access_key_id": "AKIATESTTESTTESTTEST"},
        {"access_key_id": "env:A"},
        {"access_key_id": "env:A", "secret_access_key": "env:B", "profile": "also"},
        {"endpoint_url": "http://example.com"},
        {"break_glass": ["*"]},
        {"break_glass": [f"arn:aws:iam::{OWN}:role/*"]},
        {"break_glass": [f"arn:aws:sts::{OWN}:assumed-role/a/b"]},
        {"isolation_group": "*"},
        {"isolation_group": "sg-01234567"},
        {"colour": "blue"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AwsConfig.model_validate({"account": OWN} | wrong)
