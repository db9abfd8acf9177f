"""Who gets in: passwords, sessions, throttling, forged forms, invitations."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from common import clock
from portal.commands import invite
from portal.models import SignedIn, User
from portal.usecases import throttle
from services.portal.tests.others import Others
from services.portal.tests.support import Portal


def test_a_client_signs_in_and_out(portal: Any) -> None:
    ada = portal.client()
    page = ada.get("/home")
    assert page.status_code == 200
    assert "has $30.00 left" in page.text
    assert ada.get("/").headers["Location"] == "/home"
    former = ada.cookie()
    assert ada.post("/sign-out", {}, page="/account").status_code == 303
    assert ada.cookie() is None
    ada.http.set_cookie("remit-session", former or "")
    assert ada.get("/home").status_code == 303  # the row is gone: the cookie opens nothing


def test_the_answer_tells_nothing(portal: Any) -> None:
    portal.add("staff", "sam@harmony.example")
    wrong = portal.visitor().sign_in("sam@harmony.example", "not the password")
    nobody = portal.visitor().sign_in("nobody@harmony.example", "not the password")
    assert (wrong.status_code, nobody.status_code) == (401, 401)
    for answer in (wrong, nobody):
        assert "The e-mail address or the password is not right." in answer.text
    with portal.runtime.database.read() as session:
        hashed = session.scalars(select(User.password_hash)).one()
    assert re.match(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$", hashed)


def test_sign_in_rotates_the_session(portal: Any) -> None:
    ada = portal.client()
    first = ada.cookie()
    assert ada.sign_in("ada@home.example").status_code == 303
    assert ada.cookie() != first
    ada.http.set_cookie("remit-session", first)
    assert ada.get("/home").status_code == 303
    with portal.runtime.database.read() as session:
        (row,) = session.scalars(select(SignedIn)).all()
    assert first.partition(".")[2] not in row.session_id  # what is kept opens nothing by itself


def test_sign_out_everywhere(portal: Any) -> None:
    here = portal.client()
    there = portal.visitor()
    there.sign_in("ada@home.example")
    assert there.get("/home").status_code == 200
    assert here.post("/sign-out-everywhere", {}, page="/account").status_code == 303
    assert there.get("/home").status_code == 303


def test_sessions_end(portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = portal.client()
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2, minutes=5))
    assert ada.get("/home").status_code == 303


def test_guessing_is_slowed_down(portal: Any) -> None:
    portal.add("staff", "sam@harmony.example")
    guesser = portal.visitor()
    for _ in range(throttle.LIMIT):
        assert guesser.sign_in("sam@harmony.example", "a guess at it").status_code == 401
    assert guesser.sign_in("sam@harmony.example").status_code == 429  # even the right one
    assert guesser.sign_in(" SAM@harmony.example").status_code == 429
    assert portal.visitor("198.51.100.9").sign_in("sam@harmony.example").status_code == 303


def test_many_addresses_guess_at_one_account(portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "LIMIT_ACCOUNT", 6)
    for number in range(6):
        portal.visitor(f"198.51.100.{number}").sign_in("sam@harmony.example", "a guess at it")
    assert portal.visitor("203.0.113.5").sign_in("sam@harmony.example", "a guess at it").status_code == 429


def test_a_forged_form_is_refused(portal: Any) -> None:
    portal.add("staff", "sam@harmony.example")
    own, other = portal.visitor(), portal.visitor()
    token = re.search(r'name="csrf" value="([^"]+)"', other.get("/sign-in").text)
    assert token is not None
    own.get("/sign-in")
    data = {"email": "sam@harmony.example", "password": "x", "csrf": token[1]}
    assert own.http.post("/sign-in", data=data).status_code == 403
    assert portal.service.app.test_client().post("/sign-in", data=data).status_code == 403


def test_an_inactive_client_stays_out(portal: Any, others: Others) -> None:
    ada = portal.client()
    others.tell("GET", "/clients/c1", 200, {"id": "c1", "name": "Ada", "status": "inactive"})
    answer = portal.visitor().sign_in("ada@home.example")
    assert answer.status_code == 401
    assert "not right" in answer.text
    assert ada.get("/home").status_code in (302, 303)  # and who was in is out
    assert ada.get("/account").status_code == 303


def test_one_address_in_two_businesses(portal: Any, others: Others) -> None:
    portal.add("staff", "sam@harmony.example", business_id="b1")
    portal.add("staff", "sam@harmony.example", business_id="b2")
    portal.add("staff", "sam@harmony.example", business_id="b3", password="another one of his")
    sam = portal.visitor()
    asked = sam.sign_in("sam@harmony.example")
    choices = re.findall(r'name="choice" value="([^"]+)"', asked.text)
    assert [choice.partition("/")[0] for choice in choices] == ["b1", "b2"]
    for bad in (choices[1].replace("b2/", "b3/"), choices[1][:-2] + "xx", "", "a/b/1/d~x"):
        assert sam.post("/sign-in/choice", {"choice": bad}).status_code == 401
    assert portal.visitor().post("/sign-in/choice", {"choice": choices[1]}).status_code == 401  # another browser
    assert sam.post("/sign-in/choice", {"choice": choices[1]}).status_code == 303
    assert sam.cookie().startswith("b2.")


def test_where_to_go_next_is_ours(portal: Any) -> None:
    portal.add("staff", "sam@harmony.example")
    for wanted, location in (
        ("/account", "/account"),
        ("//evil.example/", "/assist"),
        ("https://e.example", "/assist"),
    ):
        sam = portal.visitor()
        answer = sam.post(
            "/sign-in", {"email": "sam@harmony.example", "password": "four words in a row", "next": wanted}
        )
        assert answer.headers["Location"] == location


def test_an_invitation_sets_a_password_once(portal: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--business", "b1", "--email", "Ada@home.example", "--role", "client", "--client", "c1"]
    assert invite(portal.runtime, arguments) == 0
    link = capsys.readouterr().out.strip()
    path = link.removeprefix(portal.runtime.settings.portal)
    ada = portal.visitor()
    assert "Ada Lovelace" in ada.get(path).text
    assert ada.get(path[:-3] + "xxx").status_code == 404
    for password, again in (("short", "short"), ("ada@home.example", "ada@home.example"), ("a long enough one", "no")):
        assert ada.post(path, {"password": password, "again": again}, page=path).status_code == 422
    new = {"password": "a long enough one", "again": "a long enough one"}
    assert ada.post(path, new, page=path).status_code == 200
    assert ada.sign_in("ada@home.example", "a long enough one").status_code == 303
    assert ada.get(path).status_code == 404
    assert portal.visitor().post(path, new).status_code == 404


def test_an_invitation_ends(portal: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    invite(portal.runtime, ["--business", "b1", "--email", "sam@harmony.example", "--role", "staff"])
    path = capsys.readouterr().out.strip().removeprefix(portal.runtime.settings.portal)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=7, minutes=1))
    assert portal.visitor().get(path).status_code == 404


def test_who_cannot_be_invited(portal: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--role", "client"],
        ["--role", "staff", "--client", "c1"],
        ["--role", "client", "--client", "no"],
    ):
        assert invite(portal.runtime, ["--business", "b1", "--email", "a@b.example", *arguments]) == 1
    assert "error" in capsys.readouterr().out


def test_cookies_and_headers(portal: Any, others: Others, tmp_path: Path) -> None:
    answer = portal.visitor().get("/sign-in")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "SameSite=Lax" in answer.headers["Set-Cookie"]
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "strict-origin"
    assert answer.headers["Cache-Control"] == "no-store"

    secure = Portal(tmp_path / "secure", others, PORTAL_PUBLIC_URL="https://pay.example")
    answer = secure.visitor().get("/sign-in")
    assert re.match(
        r"__Host-remit-visitor=[^;]+; Secure; HttpOnly; Path=/; SameSite=Lax$", answer.headers["Set-Cookie"]
    )
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    secure.service.close()


def test_pages_that_take_cards_allow_stripe_and_nothing_else(portal: Any) -> None:
    page = portal.client().get("/home")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self' https://js.stripe.com https://*.js.stripe.com"
    assert "https://api.stripe.com" in policy["connect-src"]
    assert "https://hooks.stripe.com" in policy["frame-src"]
    assert policy["default-src"] == "'none'"
    assert '<script src="https://js.stripe.com/v3/" defer></script>' in page.text
    assert not re.search(r"<script(?! src)|<style| style=| on\w+=", page.text)
