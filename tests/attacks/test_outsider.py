"""The outsider: has no account, but may have found an old secret.

The outsider can reach `POST /reports`, but has no token that was issued for Slipway. A developer
with a running sandbox may open the outsider's web page.
"""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
import requests
import time_machine
from cryptography.hazmat.primitives import serialization
from slipway.approvals.function import approval_function
from slipway.approvals.links import Link, sign
from slipway.config import PREVIOUS_COUNTS, PortConfig, load
from slipway.errors import LinkRejected
from slipway.runs.clients import signing_secrets

from sandbox.testing import TOKEN
from tests.contract.github.conftest import running
from tests.port_server import PortServer
from tests.unit.reports.github import (
    ANOTHER_KEY,
    AUDIENCE,
    GITHUBS_KEY,
    KEYS,
    WORKFLOW_REF,
    public_jwk,
)
from tests.unit.reports.installation import PULL, Installation, installed

pytestmark = [
    pytest.mark.waits,
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]

LEAKED, RENEWED = "leaked-" + "a" * 40, "renewed-" + "b" * 40
ROTATED_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LINK = Link("r_0123456789abcdef.1", "devops@acme.example", ROTATED_AT + timedelta(days=30))


@pytest.fixture
def rotated(aws: None) -> None:
    """Rotate the link key and Port's secret; the outsider has the old values."""
    secrets = boto3.client("secretsmanager")
    with time_machine.travel(ROTATED_AT, tick=False):
        for name, field in ("slipway/links", "key"), ("slipway/port", "client_secret"):
            leaked, renewed = ({"client_id": "id", field: value} for value in (LEAKED, RENEWED))
            secrets.create_secret(Name=name, SecretString=json.dumps(leaked))
            secrets.put_secret_value(SecretId=name, SecretString=json.dumps(renewed))


@pytest.mark.usefixtures("rotated")
def test_link_of_leaked_key_is_rejected_when_rotation_is_old() -> None:
    token = sign(LINK, LEAKED)

    with (
        time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS + timedelta(seconds=1), tick=False),
        pytest.raises(LinkRejected),
    ):
        approval_function().read_link(token)


@pytest.mark.usefixtures("rotated")
def test_link_of_previous_key_counts_when_rotation_is_recent() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS, tick=False):
        assert approval_function().read_link(sign(LINK, LEAKED)) == LINK


@pytest.mark.usefixtures("rotated")
def test_leaked_port_secret_does_not_sign_when_rotation_is_old() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS + timedelta(seconds=1), tick=False):
        assert list(signing_secrets(load(PortConfig))) == [RENEWED, RENEWED]


@pytest.mark.usefixtures("rotated")
def test_previous_port_secret_signs_when_rotation_is_recent() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS, tick=False):
        assert LEAKED in islice(signing_secrets(load(PortConfig)), 3)


SERVERS = ("port", "github")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the addresses of the sandbox's Port and GitHub on a developer's machine."""
    folders = [tmp_path_factory.mktemp(name) for name in SERVERS]
    with PortServer(folders[0]) as port, running(folders[1], Path("services-repo")) as github:
        yield {"port": port.url, "github": github.url}


def ask(url: str, method: str = "GET", **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, url, headers=named, timeout=300, allow_redirects=False)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("path", ["/", "/v1/organization", "/api/v3/meta", "/_sandbox/health"])
def test_dns_rebinding_reads_nothing(sandbox: dict[str, str], server: str, path: str) -> None:
    url = sandbox[server]
    for host in ("attacker.example", f"attacker.example:{url.rpartition(':')[2]}"):
        answer = ask(url + path, Host=host, X_Sandbox_Token=TOKEN)

        assert answer.status_code == 421
        assert "Host" in answer.json()["message"]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("origin", ["http://attacker.example", "http://localhost:1", "null"])
def test_page_of_a_foreign_origin_sends_nothing(
    sandbox: dict[str, str], server: str, method: str, origin: str
) -> None:
    answer = ask(f"{sandbox[server]}/_sandbox/health", method, Origin=origin, X_Sandbox_Token=TOKEN)

    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("server", SERVERS)
def test_image_on_a_foreign_page_sends_nothing(sandbox: dict[str, str], server: str) -> None:
    of_image = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}

    assert ask(sandbox[server], **of_image, Sec_Fetch_Dest="image").status_code == 403


@pytest.mark.parametrize("server", SERVERS)
def test_foreign_page_cannot_frame_a_page(sandbox: dict[str, str], server: str) -> None:
    framed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}

    assert ask(sandbox[server], **framed, Sec_Fetch_Dest="iframe").status_code == 403


def test_link_on_a_foreign_page_opens_a_page(sandbox: dict[str, str]) -> None:
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}

    assert ask(sandbox["port"], **followed, Sec_Fetch_Dest="document").status_code == 200


@pytest.mark.parametrize(
    ("server", "path"),
    [("port", "/v1/organization"), ("github", "/api/v3/meta"), ("port", "/_sandbox/portal/people")],
)
def test_link_on_a_foreign_page_reaches_no_api(
    sandbox: dict[str, str], server: str, path: str
) -> None:
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}

    answer = ask(sandbox[server] + path, **followed, Sec_Fetch_Dest="document")

    assert answer.status_code == 403


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("path", ["/_sandbox/requests", "//_sandbox/requests"])
def test_own_routes_need_the_token(sandbox: dict[str, str], server: str, path: str) -> None:
    for token in ("", "wrong", f"{TOKEN}x"):
        assert ask(sandbox[server] + path, X_Sandbox_Token=token).status_code == 401


def test_owner_uses_own_routes_with_the_token(sandbox: dict[str, str]) -> None:
    for url in sandbox.values():
        assert ask(f"{url}/_sandbox/requests", X_Sandbox_Token=TOKEN).status_code == 200


# -- reports


YEAR_2100 = 4_102_444_800
THEIR_WORKFLOW = "mallory/services/.github/workflows/slipway-report.yml@refs/heads/main"


@pytest.fixture
def installation(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with installed(monkeypatch) as found:
        yield found


def refused(installation: Installation, token: str | None, reason: str) -> None:
    """Check that nothing is read or written, and that the answer names the reason."""
    status, said = installation.ask(token)

    assert (status, said["error"]) == (401, reason)
    assert PULL not in installation.github.routes()
    assert installation.port.routes() == []
    assert installation.writes() == []


def test_valid_token_is_accepted(installation: Installation) -> None:
    # This shows that the attacks below do not fail for another reason.
    assert installation.ask(installation.github.token())[0] == 200


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_700_000_000}, "ExpiredSignatureError"),
        ({"nbf": YEAR_2100}, "ImmatureSignatureError"),
        ({"iat": YEAR_2100}, "ImmatureSignatureError"),
        ({"aud": "https://github.com/acme"}, "InvalidAudienceError"),
        ({"aud": "https://reports.test/live"}, "InvalidAudienceError"),
        ({"aud": [AUDIENCE, "https://github.com/acme"]}, "InvalidAudienceError"),
        ({"iss": "https://token.actions.githubusercontent.com"}, "InvalidIssuerError"),
        *(
            ({name: None}, "MissingRequiredClaimError")
            for name in ("exp", "nbf", "iat", "aud", "iss", "repository_id", "workflow_ref")
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else value,
)
def test_token_is_refused_when_expired_or_for_another_audience(
    installation: Installation, claims: dict[str, Any], reason: str
) -> None:
    refused(installation, installation.github.token(**claims), reason)


@pytest.mark.parametrize(
    "claims",
    [
        # Another repository, under any name and with any workflow.
        {"repository_id": "4712", "workflow_ref": THEIR_WORKFLOW, "repository": "mallory/services"},
        # A repository that took the name after a rename or deletion: GitHub reuses names.
        {"repository_id": "4712"},
        {"workflow_ref": THEIR_WORKFLOW},
        {"workflow_ref": WORKFLOW_REF.upper()},
        {"workflow_ref": f"{WORKFLOW_REF}\n"},
        {"workflow_ref": [WORKFLOW_REF]},
        {"workflow_ref": f"x/{WORKFLOW_REF}"},
        {"repository_id": "47110"},
        {"repository_id": " 4711"},
    ],
    ids=json.dumps,
)
def test_token_of_another_repository_is_refused(
    installation: Installation, claims: dict[str, Any]
) -> None:
    status, said = installation.ask(installation.github.token(**claims))

    assert (status, said["error"] in {"repository", "workflow"}) == (401, True)
    assert PULL not in installation.github.routes()
    assert installation.port.routes() == []


def test_token_with_our_name_but_another_id_is_refused(installation: Installation) -> None:
    refused(installation, installation.github.token(repository_id="4712"), "repository")


@pytest.mark.parametrize("event", ["pull_request", "push", "workflow_run", "", "Workflow_dispatch"])
def test_token_of_another_event_is_refused(installation: Installation, event: str) -> None:
    refused(installation, installation.github.token(event_name=event), "event")


def test_token_signed_with_another_key_is_refused(installation: Installation) -> None:
    refused(installation, installation.github.token(ANOTHER_KEY), "InvalidSignatureError")


@pytest.mark.parametrize("kid", ["githubs", ""])
def test_unsigned_token_is_refused(installation: Installation, kid: str) -> None:
    token = jwt.encode(installation.github.claims(), "", "none", headers={"kid": kid})
    reason = "InvalidAlgorithmError" if kid else "key"

    refused(installation, token, reason)


@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_public_key_as_a_shared_secret_is_refused(installation: Installation, form: str) -> None:
    # Key confusion: a verifier that trusts the header uses RSA's public key as HMAC's secret.
    public = GITHUBS_KEY.public_key()
    secret = json.dumps(public_jwk(GITHUBS_KEY)).encode()
    if form == "pem":
        secret = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    header = {"alg": "HS256", "typ": "JWT", "kid": "githubs"}
    signed = b".".join(map(_encoded, (header, installation.github.claims())))
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        signed, secret
    )
    token = f"{signed.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    refused(installation, token, "InvalidAlgorithmError")


def _encoded(data: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithm_of_the_right_key_is_refused(
    installation: Installation, algorithm: str
) -> None:
    token = installation.github.token(algorithm=algorithm)

    refused(installation, token, "InvalidAlgorithmError")


@pytest.mark.parametrize("header", ["jwk", "jku", "x5u", "kid"])
def test_key_within_the_token_is_not_used(installation: Installation, header: str) -> None:
    installation.github.script("GET /evil", (200, {"keys": [public_jwk(ANOTHER_KEY)]}, {}))
    brought: dict[str, Any] = {
        "jwk": public_jwk(ANOTHER_KEY),
        "jku": f"{installation.github.url}/evil",
        "x5u": f"{installation.github.url}/evil",
        "kid": "../../evil",
    }
    headers = {"kid": "githubs", header: brought[header]}
    token = jwt.encode(installation.github.claims(), ANOTHER_KEY, "RS256", headers=headers)

    status, _ = installation.ask(token)

    assert status == 401
    assert "GET /evil" not in installation.github.routes()
    assert installation.port.routes() == []


@pytest.mark.parametrize(
    "token",
    [None, "", "a.b.c", "....", "x" * 20_000, "eyJ" * 3000, "\x00.\x00.\x00", "e30.e30.", "ä.ö.ü"],
)
def test_malformed_token_is_refused(installation: Installation, token: str | None) -> None:
    status, _ = installation.ask(token)

    assert status == 401
    assert installation.port.routes() == []


def test_flood_of_unknown_keys_queries_github_once(installation: Installation) -> None:
    for number in range(50):
        token = installation.github.token(ANOTHER_KEY, kid=f"made-up-{number}")
        assert installation.ask(token)[0] == 401

    assert installation.github.asked(KEYS) == 1
    # A valid token still counts.
    assert installation.ask(installation.github.token())[0] == 200


def test_flood_of_other_workflows_queries_github_once(installation: Installation) -> None:
    for number in range(20):
        claims = {"workflow_ref": f"x/{number}/.github/workflows/slipway-report.yml@refs/heads/a"}
        assert installation.ask(installation.github.token(**claims))[0] == 401

    assert installation.github.routes().count("GET /repos/acme/services") == 1


def test_fork_cannot_have_its_pull_request_reported(installation: Installation) -> None:
    # Closing a pull request of a fork runs our workflow, with a valid token.
    fork = {"ref": "slipway/upscale_service/r_0123456789abcdef", "repo": {"id": 4712}}
    for head in (fork, {**fork, "repo": None}):
        installation.pull(head=head)

        status, said = installation.ask(installation.github.token())

        assert (status, said["error"]) == (409, "NothingToReport")
        assert "comes from another repository" in said["message"]
    assert installation.writes() == []
