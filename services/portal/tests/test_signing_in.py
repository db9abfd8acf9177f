"""Who gets in: passwords, sessions, throttling, forged forms, invitations."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from common import clock
from common.auth import retire_keys, rotate_key
from common.db import Database
from common.testing import eventually
from portal.commands import invite
from portal.models import SignedIn, User
from portal.peers import known
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


@pytest.mark.parametrize("path", ["/account", "/clients"])
def test_while_the_database_is_away_a_page_says_so(portal: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    sam = portal.staff()

    def away(_database: Database) -> None:
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"), connection_invalidated=True)

    monkeypatch.setattr(Database, "read", away)
    page = sam.get(path)
    assert page.status_code == 503
    assert "Just a moment" in page.text


@pytest.mark.broker
def test_a_cookie_that_is_no_text(postgresql_url: str, tmp_path: Path, others: Others) -> None:
    portal = Portal(tmp_path / "portal", others, DATABASE_URL=postgresql_url)
    visitor = portal.visitor()
    visitor.http.set_cookie("remit-session", "b1.\0x")
    answer = visitor.get("/account")
    portal.service.close()
    assert answer.status_code == 303


@pytest.mark.parametrize("name", ["endpoint", "_method", "_anchor", "_external", "values"])
def test_names_in_the_address_do_not_steer_links(portal: Any, name: str) -> None:
    page = portal.administrator().get(f"/settings/team?{name}=x&sort=name")
    assert page.status_code == 200
    assert f'href="/settings/team?{name}=x&amp;sort=-name"' in page.text


def test_an_inactive_client_stays_out(portal: Any, others: Others) -> None:
    ada = portal.client()
    gone = {"id": "c1", "name": "Ada", "status": "inactive"}
    others.tell("GET", "/clients/c1", 200, gone)
    others.tell("GET", "/clients/c1/overview", 200, {"client": gone, "balance": {}, "invoices": [], "sessions": []})
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
        ("//evil.example/", "/clients"),
        ("https://e.example", "/clients"),
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


def test_links_and_open_forms_outlive_a_rotation(portal: Any, capsys: pytest.CaptureFixture[str]) -> None:
    invite(portal.runtime, ["--business", "b1", "--email", "sam@harmony.example", "--role", "staff"])
    path = capsys.readouterr().out.strip().removeprefix(portal.runtime.settings.portal)
    sam = portal.visitor()
    form = re.search(r'name="csrf" value="([^"]+)"', sam.get(path).text)
    assert form is not None
    keys = portal.runtime.settings.var_dir / "keys"
    rotate_key(keys, "portal")
    portal.runtime.__dict__.pop("signer", None)  # as after a start
    assert portal.visitor().get(path).status_code == 200
    new = {"password": "a long enough one", "again": "a long enough one", "csrf": form[1]}
    assert sam.http.post(path, data=new).status_code == 200
    retire_keys(keys, "portal")
    assert portal.visitor().get(path).status_code == 404
    assert sam.http.post("/sign-in", data={"csrf": form[1]}).status_code == 403


def test_who_cannot_be_invited(portal: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--role", "client"],
        ["--role", "staff", "--client", "c1"],
        ["--role", "client", "--client", "no"],
        ["--role", "client", "--client", "c1"],  # it is not their address
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


def mails(others: Others) -> list[dict[str, Any]]:
    return [asked for asked in others.asked if asked["path"] == "/emails"]


def ask_for_link(portal: Portal, others: Others, email: str, business_id: str = "b1") -> str:
    """The path of the link that is mailed."""
    others.tell("POST", "/emails", 201, {"id": "m1"})
    before = len(mails(others))
    assert portal.visitor().post("/forgot", {"email": email}, page="/forgot").status_code == 200
    eventually(lambda: len(mails(others)) > before, "the mail")
    asked = next(mail for mail in mails(others)[before:] if mail["claims"]["business"] == business_id)
    return str(asked["body"]["link"]).removeprefix(portal.runtime.settings.portal)


def test_a_forgotten_password(portal: Any, others: Others) -> None:
    sam = portal.staff()
    path = ask_for_link(portal, others, " SAM@harmony.example")
    asked = mails(others)[-1]
    assert (asked["body"]["kind"], asked["body"]["to"]) == ("password_reset", "sam@harmony.example")
    assert asked["claims"]["scope"] == "notifications:write"
    good_for = datetime.fromisoformat(asked["body"]["good_until"]) - clock.now()
    assert timedelta(minutes=55) < good_for <= timedelta(hours=1)
    assert sam.get("/account").status_code == 200  # asking alone ends nothing
    visitor = portal.visitor()
    new = {"password": "a long enough one", "again": "a long enough one"}
    assert "A new password for Sam Staff" in visitor.get(path).text
    assert visitor.post(path, new, page=path).status_code == 200
    assert visitor.get(path).status_code == 404  # once
    assert sam.get("/account").status_code == 303  # every session is over
    assert visitor.sign_in("sam@harmony.example").status_code == 401
    assert visitor.sign_in("sam@harmony.example", "a long enough one").status_code == 303


def test_a_link_ends_after_an_hour_and_with_the_next_password(
    portal: Any, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam = portal.staff()
    first, second = (ask_for_link(portal, others, "sam@harmony.example") for _ in range(2))
    new = {"old": "four words in a row", "password": "a long enough one", "again": "a long enough one"}
    assert sam.post("/account/password", new, page="/account").status_code == 303
    assert portal.visitor().get(first).status_code == 404
    third = ask_for_link(portal, others, "sam@harmony.example")
    assert len({first, second, third}) == 3
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=1, minutes=1))
    assert portal.visitor().get(third).status_code == 404


def test_asking_for_a_link_tells_nothing(portal: Any, others: Others) -> None:
    portal.staff()
    others.tell("POST", "/emails", 201, {"id": "m1"})
    known_one = portal.visitor().post("/forgot", {"email": "sam@harmony.example"}, page="/forgot")
    nobody = portal.visitor().post("/forgot", {"email": "eve@harmony.example"}, page="/forgot")
    tokens = re.compile(r'name="csrf" value="[^"]+"')
    said = [tokens.sub("", answer.text).replace("eve@", "sam@") for answer in (known_one, nobody)]
    assert said[0] == said[1]
    eventually(lambda: mails(others), "the mail")
    assert {mail["body"]["to"] for mail in mails(others)} == {"sam@harmony.example"}


def test_the_answer_does_not_wait_for_the_mail(portal: Any, others: Others) -> None:
    portal.staff()
    others.tell("POST", "/emails", 503, {"code": "x", "detail": "away"})
    assert "is on its way" in portal.visitor().post("/forgot", {"email": "sam@harmony.example"}, page="/forgot").text


def test_a_link_for_each_business_and_none_for_who_is_shut_out(portal: Any, others: Others) -> None:
    portal.add("client", "ada@home.example", "c1", "b1")
    portal.add("staff", "ada@home.example", business_id="b2")
    portal.add("staff", "ada@home.example", business_id="b3")
    others.tell("GET", "/clients/c1", 200, {"id": "c1", "name": "Ada", "status": "inactive"})
    with portal.runtime.database.write() as session:
        session.scalars(select(User).where(User.business_id == "b2")).one().disabled_at = clock.now()
    ask_for_link(portal, others, "ada@home.example", "b3")
    assert [mail["claims"]["business"] for mail in mails(others)] == ["b3"]


def test_links_are_not_asked_for_without_end(portal: Any, others: Others) -> None:
    others.tell("POST", "/emails", 201, {"id": "m1"})
    for number in range(throttle.MAILS):
        asked = portal.visitor(f"198.51.100.{number}").post("/forgot", {"email": "a@b.example"}, page="/forgot")
        assert asked.status_code == 200
    late = portal.visitor("203.0.113.5")
    assert late.post("/forgot", {"email": " A@b.example"}, page="/forgot").status_code == 429
    portal.add("staff", "a@b.example")
    assert late.sign_in("a@b.example").status_code == 303  # signing in is counted apart
    for number in range(throttle.MAILS_ADDRESS):
        late.post("/forgot", {"email": f"{number}@b.example"}, page="/forgot")
    assert late.post("/forgot", {"email": "last@b.example"}, page="/forgot").status_code == 429


def test_changing_the_password(portal: Any) -> None:
    here = portal.staff()
    there = portal.visitor()
    there.sign_in("sam@harmony.example")
    former = here.cookie()
    good = {"old": "four words in a row", "password": "a long enough one", "again": "a long enough one"}
    for wrong, words in (
        ({"old": "not the password"}, "The present password is not right."),
        ({"again": "another one"}, "The two new ones are not the same."),
        ({"password": "short", "again": "short"}, "at least 12"),
    ):
        refused = here.post("/account/password", {**good, **wrong}, page="/account")
        assert refused.status_code == 422
        assert words in refused.text
    assert there.get("/account").status_code == 200
    changed = here.post("/account/password", good, page="/account")
    assert changed.headers["Location"] == "/account?said=password_changed"
    assert here.cookie() != former
    assert here.get("/account").status_code == 200  # this one goes on
    assert there.get("/account").status_code == 303
    here.http.set_cookie("remit-session", former)
    assert here.get("/account").status_code == 303
    assert portal.visitor().sign_in("sam@harmony.example", "a long enough one").status_code == 303


def test_guessing_the_present_password_is_slowed_down(portal: Any) -> None:
    sam = portal.staff()
    form = {"old": "a guess at it", "password": "a long enough one", "again": "a long enough one"}
    answers = [sam.post("/account/password", form, page="/account").status_code for _ in range(throttle.LIMIT + 1)]
    assert answers[-1] == 429


def test_a_client_who_became_inactive_is_out_at_the_next_page(
    portal: Any, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = portal.client()
    assert ada.get("/account").status_code == 200
    asked = sum(asked["path"] == "/clients/c1" for asked in others.asked)
    assert ada.get("/account").status_code == 200
    assert sum(asked["path"] == "/clients/c1" for asked in others.asked) == asked  # remembered for a moment
    others.tell("GET", "/clients/c1", 503, {"code": "x", "detail": "away"})
    portal.service.app.extensions["known"] = known.Known()
    assert ada.get("/account").status_code == 200  # nobody is thrown out because billing is away
    others.tell("GET", "/clients/c1", 200, {"id": "c1", "name": "Ada", "status": "inactive"})
    out = ada.get("/account")
    assert (out.status_code, out.headers["Location"]) == (303, "/sign-in?next=/account")
    with portal.runtime.database.read() as session:
        assert session.scalars(select(SignedIn)).all() == []


def test_a_clients_first_page_costs_no_call_more(portal: Any, others: Others) -> None:
    ada = portal.client()
    others.asked.clear()
    page = ada.get("/home")
    assert "/clients/c1" not in [asked["path"] for asked in others.asked]
    assert int(re.search(r'calls;desc="(\d+)"', page.headers["Server-Timing"])[1]) <= 5  # type: ignore[index]
    ada.get("/account")
    assert "/clients/c1" not in [asked["path"] for asked in others.asked]  # its answer was remembered


def test_a_link_of_somebody_who_is_disabled(portal: Any, others: Others) -> None:
    portal.staff()
    path = ask_for_link(portal, others, "sam@harmony.example")
    with portal.runtime.database.write() as session:
        session.scalars(select(User)).one().disabled_at = clock.now()
    assert portal.visitor().get(path).status_code == 404


def test_a_form_of_somebody_who_is_out_is_not_where_to_go_next(portal: Any) -> None:
    sam = portal.staff()
    page = sam.get("/account").text
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    assert token is not None
    portal.visitor().sign_in("sam@harmony.example")
    with portal.runtime.database.write() as session:
        session.query(SignedIn).delete()
    answer = sam.http.post("/account/password", data={"csrf": token[1]})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


def test_one_business_that_cannot_mail_does_not_stop_the_next(portal: Any, others: Others) -> None:
    portal.add("client", "ada@home.example", "gone", "b1")  # billing knows no such client
    portal.add("staff", "ada@home.example", business_id="b2")
    assert ask_for_link(portal, others, "ada@home.example", "b2").startswith("/welcome?business=b2")


def test_the_command_invites_nobody_who_is_disabled(portal: Any, capsys: pytest.CaptureFixture[str]) -> None:
    portal.staff()
    arguments = ["--business", "b1", "--email", "sam@harmony.example", "--role", "staff"]
    assert invite(portal.runtime, [*arguments, "--operator"]) == 0
    with portal.runtime.database.write() as session:
        sam = session.scalars(select(User)).one()
        assert sam.is_operator
        sam.disabled_at = clock.now()
    assert invite(portal.runtime, arguments) == 1
    assert "is disabled" in capsys.readouterr().out


@pytest.mark.broker
def test_what_is_no_text_is_a_bad_request(postgresql_url: str, tmp_path: Path, others: Others) -> None:
    """Before signing in as well as after: PostgreSQL fails where such a text is compared."""
    portal = Portal(tmp_path, others, DATABASE_URL=postgresql_url)
    sam = portal.staff()
    for answer in (
        portal.visitor().sign_in("sam\0@harmony.example"),
        portal.visitor().post("/forgot", {"email": "\0"}, page="/forgot"),
        sam.get("/payments/%00"),
        sam.get("/balances?q=%00"),
        sam.post("/sign-in", {"email": "\0", "password": "x"}),
    ):
        assert (answer.status_code, "The character NUL is no text" in answer.text) == (400, True), answer.text
    assert sam.get("/sign-in?next=%2500").status_code != 400  # a percent sign and two noughts
    portal.service.close()
