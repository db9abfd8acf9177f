"""API tokens: made by administrators, exchanged by programs, taken back."""

import base64
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import select

from common import clock
from common.auth import SCOPES, SERVICE_LIMITS, Verifier
from portal.domain import team_scopes
from portal.models import TeamKey
from services.portal.tests.others import Others
from services.portal.tests.support import Portal, Visitor

PAGE = "/settings/api-tokens"
BOTH = ["payments:read", "billing:read"]


def make(visitor: Visitor, **form: Any) -> Any:
    return visitor.post(PAGE, {"name": "Reporting", "scope": BOTH, "attempt": "a1", **form}, page=PAGE)


def credentials(answer: Any) -> tuple[str, str]:
    assert answer.status_code == 201, answer.text
    found = re.findall(r'readonly value="([^"]+)"', answer.text)
    assert len(found) == 2
    return found[0], found[1]


def exchange(portal: Portal, pair: tuple[str, str], address: str = "192.0.2.9", **form: Any) -> Any:
    basic = base64.b64encode(":".join(pair).encode()).decode()
    return portal.service.app.test_client().post(
        "/oauth/token", data={"grant_type": "client_credentials", **form}, headers={"Authorization": f"Basic {basic}"},
        environ_base={"REMOTE_ADDR": address},
    )  # fmt: skip


def rows(portal: Portal) -> list[TeamKey]:
    with portal.runtime.database.read() as session:
        return list(session.scalars(select(TeamKey)))


def test_a_program_gets_a_short_token_of_its_business(portal: Portal) -> None:
    pair = credentials(make(portal.administrator()))
    answer = exchange(portal, pair)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert "Set-Cookie" not in answer.headers
    body = answer.get_json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "payments:read billing:read")
    caller = Verifier(portal.runtime.settings.auth_jwks_file).verify(body["access_token"])
    assert (caller.sub, caller.business, caller.scopes) == (f"team:{pair[0]}", "b1", frozenset(BOTH))
    assert caller.actor == {"type": "team", "id": pair[0], "name": "Reporting"}
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 900
    assert rows(portal)[0].used_at is not None


def test_the_secret_is_shown_once_and_kept_nowhere(portal: Portal) -> None:
    administrator = portal.administrator()
    key_id, secret = credentials(make(administrator))
    page = administrator.get(PAGE).text
    assert key_id in page
    assert "Reporting" in page
    assert secret not in page
    (row,) = rows(portal)
    assert all(secret not in str(value) for value in vars(row).values())
    assert len(row.secret_digest) == 64


def test_a_double_click_makes_one_token_and_shows_one_secret(portal: Portal) -> None:
    administrator = portal.administrator()
    first, again = credentials(make(administrator)), credentials(make(administrator))
    assert first == again
    assert len(rows(portal)) == 1
    assert credentials(make(administrator, attempt="a2")) != first
    with portal.runtime.database.write() as session:
        for row in session.scalars(select(TeamKey)):
            row.made_at -= timedelta(minutes=3)
    late = make(administrator)
    assert late.status_code == 409
    assert first[1] not in late.text


def test_the_secret_is_taken_from_the_form_too(portal: Portal) -> None:
    key_id, secret = credentials(make(portal.administrator()))
    form = {"grant_type": "client_credentials", "client_id": key_id, "client_secret": secret, "scope": "payments:read"}
    answer = portal.service.app.test_client().post("/oauth/token", data=form)
    assert answer.get_json()["scope"] == "payments:read"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, 400, "invalid_request"),
        ({"client_secret": "x"}, 400, "invalid_request"),
        ({"scope": "payments:write"}, 400, "invalid_scope"),
        ({"scope": "payments:read operator"}, 400, "invalid_scope"),
        ({"scope": "operations:read"}, 400, "invalid_scope"),
    ],
)
def test_refusals_are_those_of_the_rfc(portal: Portal, form: dict[str, Any], status: int, error: str) -> None:
    answer = exchange(portal, credentials(make(portal.administrator())), **form)
    assert (answer.status_code, answer.get_json()["error"]) == (status, error)
    assert "access_token" not in answer.get_json()


@pytest.mark.broker
def test_an_id_that_is_no_text_is_refused(postgresql_url: str, tmp_path: Path, others: Others) -> None:
    portal = Portal(tmp_path, others, DATABASE_URL=postgresql_url)
    form = {"grant_type": "client_credentials", "client_id": "\0", "client_secret": "s"}
    for answer in (exchange(portal, ("\0", "s")), portal.service.app.test_client().post("/oauth/token", data=form)):
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    portal.service.close()


def test_nobody_gets_in_without_the_secret(portal: Portal) -> None:
    key_id, secret = credentials(make(portal.administrator()))
    for pair in ((key_id, "wrong"), ("team-none", secret), (key_id, ""), ("", secret)):
        answer = exchange(portal, pair)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client"), pair
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    client = portal.service.app.test_client()
    for header in ("Basic ???", "Bearer abc", "Basic " + base64.b64encode(b"no colon").decode(), "Basic"):
        data = {"grant_type": "client_credentials"}
        answer = client.post("/oauth/token", data=data, headers={"Authorization": header})
        assert answer.status_code == 401, header
    assert client.get("/oauth/token").status_code == 405


def test_guessing_is_slowed_down_where_it_comes_from_only(portal: Portal) -> None:
    pair = credentials(make(portal.administrator()))
    for _ in range(5):
        assert exchange(portal, (pair[0], "wrong")).status_code == 401
    answer = exchange(portal, pair)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert exchange(portal, pair, address="192.0.2.50").status_code == 200


def test_many_exchanges_in_a_row_are_no_guessing(portal: Portal) -> None:
    pair = credentials(make(portal.administrator()))
    assert {exchange(portal, pair).status_code for _ in range(12)} == {200}


def test_a_revoked_token_is_exchanged_no_more(portal: Portal) -> None:
    administrator = portal.administrator()
    pair = credentials(make(administrator))
    path = f"{PAGE}/{pair[0]}/revoke"
    assert "within a quarter of an hour" in administrator.get(path).text
    assert exchange(portal, pair).status_code == 200  # looking takes nothing back
    assert administrator.post(path, {}, page=path).headers["Location"] == f"{PAGE}?said=token_revoked"
    assert exchange(portal, pair).status_code == 401
    assert make(administrator).status_code == 409  # nor does its form bring it back


def test_an_expired_token_is_exchanged_no_more(portal: Portal) -> None:
    administrator = portal.administrator()
    pair = credentials(make(administrator, last_day=clock.today("UTC").isoformat()))
    with portal.runtime.database.write() as session:
        session.scalars(select(TeamKey)).one().expires_at = clock.now() + timedelta(seconds=100)
    assert 90 <= exchange(portal, pair).get_json()["expires_in"] <= 100
    with portal.runtime.database.write() as session:
        session.scalars(select(TeamKey)).one().expires_at = clock.now() - timedelta(seconds=1)
    assert exchange(portal, pair).status_code == 401
    assert "expired" in administrator.get(PAGE).text


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": " "}, "Say what the token is for."),
        ({"scope": []}, "Choose at least one thing"),
        ({"scope": ["operator", "operations:write", "gateway:settings"]}, "Choose at least one thing"),
        ({"last_day": "2020-01-01"}, "Choose today or a later day"),
        ({"last_day": "soon"}, "year-month-day"),
        ({"last_day": "9999-12-31"}, "Choose a day from 1900 to 2999."),
    ],
)
def test_what_is_wrong_makes_none_and_is_said(portal: Portal, form: dict[str, Any], words: str) -> None:
    answer = make(portal.administrator(), **form)
    assert answer.status_code == 422
    assert words in answer.text
    assert rows(portal) == []


def test_what_a_team_may_have_the_portal_may_give_and_operates_nothing() -> None:
    assert set(team_scopes.SCOPES) <= set(SERVICE_LIMITS["portal"]) & set(SCOPES)
    assert not {"operator", "operations:read", "operations:write", "gateway:settings"} & set(team_scopes.SCOPES)


def test_tokens_are_for_administrators_of_their_own_business(portal: Portal) -> None:
    key_id, _ = credentials(make(portal.administrator()))
    for visitor in (portal.staff(), portal.client()):
        assert visitor.get(PAGE).status_code == 404
        assert visitor.post(PAGE, {"name": "x", "scope": BOTH}, page="/account").status_code == 404
        assert visitor.post(f"{PAGE}/{key_id}/revoke", {}, page="/account").status_code == 404
    portal.add("administrator", "eve@other.example", business_id="b2", name="Eve Other")
    eve = portal.visitor()
    eve.sign_in("eve@other.example")
    assert key_id not in eve.get(PAGE).text
    assert eve.get(f"{PAGE}/{key_id}/revoke").status_code == 404
    assert eve.post(f"{PAGE}/{key_id}/revoke", {}, page="/account").status_code == 404
    (row,) = rows(portal)
    assert row.revoked_at is None
