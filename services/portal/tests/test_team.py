"""The team: who is invited, what they may, and who is let in no longer."""

import re
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from common.errors import Conflict
from common.ids import new_id
from portal.models import SignedIn, User
from portal.usecases import team, users
from portal.usecases.users import Person, person_of
from services.portal.tests.others import BALANCE, Others

NEW = {"name": "Nina New", "email": "nina@harmony.example", "role": "staff"}
TEAM = "/settings/team"
ADA = {"id": "c1", "name": "Ada Lovelace", "email": "ada@home.example", "status": "active"}


def mails(others: Others) -> list[dict[str, Any]]:
    return [asked for asked in others.asked if asked["path"] == "/emails"]


def user(portal: Any, email: str) -> User:
    with portal.runtime.database.read() as session:
        return session.scalars(select(User).where(User.email_folded == email)).one()  # type: ignore[no-any-return]


def page_of(portal: Any, email: str) -> str:
    return f"{TEAM}/{user(portal, email).user_id}"


@pytest.fixture(autouse=True)
def post_office(others: Others) -> None:
    others.tell("POST", "/emails", 201, {"id": "m1"})


def test_a_member_is_invited_and_gets_in(portal: Any, others: Others) -> None:
    maria = portal.administrator()
    done = maria.post(TEAM, {**NEW, "attempt": "a1"}, page=TEAM)
    assert done.headers["Location"] == f"{TEAM}?said=team_invited"
    (asked,) = mails(others)
    body = asked["body"]
    assert (body["kind"], body["to"], body["name"], body["client_id"]) == (
        "invitation", "nina@harmony.example", "Nina New", None,
    )  # fmt: skip
    assert asked["claims"]["actor"]["name"] == "Maria Harmony"
    assert asked["key"].startswith("portal-")
    listed = maria.get(f"{TEAM}?said=team_invited").text
    assert "The invitation is on its way" in listed
    assert re.search(r"Nina New.*?invited", listed, re.S)
    assert body["link"] not in listed
    path = body["link"].removeprefix(portal.runtime.settings.portal)
    nina = portal.visitor()
    nina.post(path, {"password": "a long enough one", "again": "a long enough one"}, page=path)
    assert nina.sign_in("nina@harmony.example", "a long enough one").status_code == 303
    assert nina.get(TEAM).status_code == 404  # staff do not see the team
    assert user(portal, "nina@harmony.example").role == "staff"


def test_a_double_click_mails_one_link(portal: Any, others: Others) -> None:
    maria = portal.administrator()
    for _ in range(2):
        assert maria.post(TEAM, {**NEW, "attempt": "a1"}, page=TEAM).status_code == 303
    first, second = mails(others)
    assert (first["key"], first["body"]) == (second["key"], second["body"])  # notifications takes it once


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"email": "nobody"}, "This is not an e-mail address."),
        ({"name": " "}, "Say what they are called."),
        ({"name": "4242 4242 4242 4242"}, "looks like a card number"),
        ({"role": "client"}, "Choose what they may do."),
        ({"role": "operator"}, "Choose what they may do."),
    ],
)
def test_who_cannot_be_invited(portal: Any, others: Others, wrong: dict[str, str], words: str) -> None:
    maria = portal.administrator()
    refused = maria.post(TEAM, {**NEW, **wrong}, page=TEAM)
    assert refused.status_code == 422
    assert words in refused.text
    assert mails(others) == []
    assert len(portal_users(portal)) == 1


def portal_users(portal: Any) -> list[User]:
    with portal.runtime.database.read() as session:
        return list(session.scalars(select(User)))


def test_an_address_that_is_taken(portal: Any, others: Others) -> None:
    portal.client()
    maria = portal.administrator()
    refused = maria.post(TEAM, {**NEW, "email": "ADA@home.example"}, page=TEAM)
    assert refused.status_code == 409
    assert "already signs in here as a client" in refused.text
    assert 'value="Nina New"' in refused.text  # what was typed is there
    portal.add("staff", "sam@harmony.example")
    assert maria.post(TEAM, {**NEW, "email": "sam@harmony.example"}, page=TEAM).status_code == 409
    assert mails(others) == []


def test_the_mail_cannot_be_asked_for(portal: Any, others: Others) -> None:
    maria = portal.administrator()
    others.tell("POST", "/emails", 503, {"code": "x", "detail": "away"})
    refused = maria.post(TEAM, NEW, page=TEAM)
    assert refused.status_code == 503
    assert "was not mailed" in refused.text
    others.tell("POST", "/emails", 201, {"id": "m1"})
    path = page_of(portal, "nina@harmony.example")
    assert "has not chosen a password yet" in maria.get(path).text
    assert maria.post(f"{path}/link", {"attempt": "a2"}, page=path).status_code == 303
    assert mails(others)[-1]["body"]["kind"] == "invitation"


def test_a_role_is_changed_and_holds_at_once(portal: Any) -> None:
    sam, maria = portal.staff(), portal.administrator()
    path = page_of(portal, "sam@harmony.example")
    assert sam.get(TEAM).status_code == 404
    assert maria.post(f"{path}/role", {"role": "administrator"}, page=path).status_code == 303
    assert sam.get(TEAM).status_code == 200
    for bad in ("client", "operator", ""):
        assert maria.post(f"{path}/role", {"role": bad}, page=path).status_code == 409
    assert user(portal, "sam@harmony.example").role == "administrator"


def test_somebody_disabled_is_out_at_once(portal: Any) -> None:
    sam, maria = portal.staff(), portal.administrator()
    path = page_of(portal, "sam@harmony.example")
    assert maria.post(f"{path}/disable", {}, page=path).status_code == 303
    assert sam.get("/assist").status_code == 303
    with portal.runtime.database.read() as session:
        assert len(session.scalars(select(SignedIn)).all()) == 1  # the administrator's own
    assert portal.visitor().sign_in("sam@harmony.example").status_code == 401
    assert maria.post(f"{path}/link", {}, page=path).status_code == 409
    assert maria.post(f"{path}/enable", {}, page=path).status_code == 303
    assert portal.visitor().sign_in("sam@harmony.example").status_code == 303


def test_nobody_changes_themselves(portal: Any) -> None:
    maria = portal.administrator()
    portal.add("administrator", "second@harmony.example")
    path = page_of(portal, "maria@harmony.example")
    assert "This is you" in maria.get(path).text
    for what, form in (("role", {"role": "staff"}), ("disable", {}), ("enable", {})):
        refused = maria.post(f"{path}/{what}", form, page="/account")
        assert refused.status_code == 409
        assert "Nobody changes their own role" in refused.text
    assert user(portal, "maria@harmony.example").role == "administrator"


def test_the_last_administrator_stays(portal: Any) -> None:
    portal.add("administrator", "maria@harmony.example", name="Maria")
    portal.add("administrator", "second@harmony.example")
    with portal.runtime.database.write() as session:
        maria, second = (person_of(user(portal, f"{name}@harmony.example")) for name in ("maria", "second"))
        team.disable(session, maria, second.user_id)
    # Whoever was disabled a moment ago, and is still at it, changes nothing.
    with portal.runtime.database.write() as session, pytest.raises(Exception, match="no such page"):
        team.disable(session, second, maria.user_id)
    # An invited one who has no password yet is no administrator to rely on.
    with portal.runtime.database.write() as session:
        invited = User(**{**vars_of(user(portal, "second@harmony.example")), "user_id": "u3", "email_folded": "x"})
        invited.password_hash = None
        invited.disabled_at = None
        session.add(invited)
    leaving = user(portal, "maria@harmony.example")
    with portal.runtime.database.write() as session, pytest.raises(Conflict, match="last_administrator"):
        team._keep_one_administrator(session, leaving)


def vars_of(row: User) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in User.__table__.columns}


def test_who_else_may_not(portal: Any) -> None:
    path = "/settings/team/u1"
    maria = portal.administrator()
    assert maria.get(path).status_code == 404
    portal.add("staff", "other@b2.example", business_id="b2")
    foreign = page_of(portal, "other@b2.example")
    assert maria.get(foreign).status_code == 404  # another business's
    assert maria.post(f"{foreign}/disable", {}, page="/account").status_code == 404
    for visitor in (portal.staff(), portal.client()):
        for what in ("role", "disable", "enable", "link"):
            assert visitor.post(f"{path}/{what}", {}, page="/account").status_code == 404
        assert visitor.post(TEAM, NEW, page="/account").status_code == 404
        assert visitor.get(f"{TEAM}.csv").status_code == 404


def test_the_list_is_searched_sorted_and_exported(portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    maria = portal.administrator()
    for name in ("Zoe", "Åsa", "Ben"):
        portal.add("staff", f"{name.lower()}@harmony.example", name=name)
    portal.add("client", "ada@home.example", "c1", name="Ada Lovelace")
    portal.add("staff", "elsewhere@b2.example", business_id="b2", name="Elsewhere")

    def names(query: str) -> list[str]:
        return re.findall(r'<th scope="row"><a [^>]+>([^<]+)</a>', maria.get(f"{TEAM}?{query}").text)

    assert names("") == ["Ben", "Maria Harmony", "Zoe", "Åsa"]
    assert names("sort=-name") == ["Åsa", "Zoe", "Maria Harmony", "Ben"]
    assert names("sort=email") == ["Ben", "Maria Harmony", "Zoe", "Åsa"]
    assert names("who=client") == ["Ada Lovelace"]
    assert names("who=administrator") == ["Maria Harmony"]
    assert names("q=BEN@") == ["Ben"]
    assert names("q=_") == names("status=disabled") == []
    assert "Nobody fits" in maria.get(f"{TEAM}?q=nobody").text
    assert names("status=active&who=nonsense&sort=nonsense") == names("")
    monkeypatch.setattr(team, "PAGE", 3)
    for sort in ("name", "-name"):
        first = maria.get(f"{TEAM}?sort={sort}").text
        cursor = re.search(r"cursor=([^\"&]+)", first)
        assert cursor is not None
        assert len(names(f"sort={sort}&cursor={cursor[1]}")) == 1
    assert maria.get(f"{TEAM}?cursor=nonsense").status_code == 422
    file = maria.get(f"{TEAM}.csv?q=zoe")
    assert file.content_type.startswith("text/csv")
    assert file.text.splitlines()[1].startswith("Zoe,zoe@harmony.example,staff,active,,")


def test_a_client_is_invited(portal: Any, others: Others) -> None:
    sam = portal.staff()
    done = sam.post("/clients/c1/invite", {"attempt": "a1"}, page="/account")
    assert done.status_code == 303
    assert done.headers["Location"].startswith("/clients/c1?said=client_invited")
    sam.post("/clients/c1/invite", {"attempt": "a1"}, page="/account")
    asked, again = mails(others)
    assert (asked["key"], asked["body"]) == (again["key"], again["body"])  # notifications takes it once
    assert (asked["body"]["to"], asked["body"]["client_id"]) == ("ada@home.example", "c1")
    whole = {**BALANCE, "available_minor": 3000, "threshold_minor": 0, "owed_minor": 0, "credit_minor": 3000}
    overview = {"client": ADA, "balance": whole, "invoices": [], "sessions": []}
    others.tell("GET", "/clients/c1/overview", 200, overview)
    form = sam.get("/clients/c1").text.partition('action="/clients/c1/invite"')[2]
    assert re.search(r'name="attempt" value="[^"]+"', form.partition("</form>")[0])
    made = user(portal, "ada@home.example")
    assert (made.role, made.client_id, made.name) == ("client", "c1", "Ada Lovelace")


@pytest.mark.parametrize(
    ("client", "words"),
    [({"email": None}, "has no e-mail address"), ({"status": "inactive"}, "is inactive, and cannot sign in")],
)
def test_a_client_who_cannot_be_invited(portal: Any, others: Others, client: dict[str, Any], words: str) -> None:
    others.tell("GET", "/clients/c1", 200, {**ADA, **client})
    refused = portal.staff().post("/clients/c1/invite", {}, page="/account")
    assert refused.status_code == 409
    assert words in refused.text
    assert 'href="/clients/c1"' in refused.text
    assert mails(others) == []


def test_a_client_does_not_invite(portal: Any) -> None:
    assert portal.client().post("/clients/c1/invite", {}, page="/account").status_code == 404


def test_a_household_signs_in_as_one(portal: Any, others: Others) -> None:
    portal.add("client", "ada@home.example", "c2")
    others.tell("GET", "/clients/c2", 200, {**ADA, "id": "c2", "name": "Bob Lovelace"})
    refused = portal.staff().post("/clients/c1/invite", {}, page="/account")
    assert refused.status_code == 409
    assert "One address is one person" in refused.text


def invite_ada(portal: Any, others: Others) -> str:
    """The address of the link in the mail."""
    assert portal.staff().post("/clients/c1/invite", {"attempt": new_id()}, page="/account").status_code == 303
    return str(mails(others)[-1]["body"]["link"]).removeprefix(portal.runtime.settings.portal)


def test_a_login_goes_with_the_client_to_a_corrected_address(portal: Any, others: Others) -> None:
    """The first link went to a stranger, who used it."""
    others.tell("GET", "/clients/c1", 200, {**ADA, "email": "typo@home.example"})
    wrong, new = invite_ada(portal, others), {"password": "a long enough one", "again": "a long enough one"}
    stranger = portal.visitor()
    assert stranger.post(wrong, new, page=wrong).status_code == 200
    assert stranger.sign_in("typo@home.example", "a long enough one").status_code == 303
    assert stranger.get("/account").status_code == 200
    unused = invite_ada(portal, others)

    others.tell("GET", "/clients/c1", 200, ADA)
    assert portal.visitor().sign_in("typo@home.example", "a long enough one").status_code == 401
    right = invite_ada(portal, others)

    assert stranger.get("/account").headers["Location"].startswith("/sign-in")
    assert [portal.visitor().get(link).status_code for link in (wrong, unused, right)] == [404, 404, 200]
    assert mails(others)[-1]["body"]["to"] == "ada@home.example"
    assert portal.visitor().sign_in("ada@home.example", "a long enough one").status_code == 401  # not the stranger's
    assert portal.visitor().post(right, new, page=right).status_code == 200
    assert portal.visitor().sign_in("ada@home.example", "a long enough one").status_code == 303


def test_a_session_ends_when_billing_has_another_address(portal: Any, others: Others) -> None:
    ada = portal.client()
    others.tell("GET", "/clients/c1", 200, {**ADA, "email": "new@home.example"})
    others.tell("GET", "/clients/c1/overview", 200, {
        "client": {**ADA, "email": "new@home.example"}, "balance": BALANCE, "invoices": [], "sessions": [],
    })  # fmt: skip
    assert ada.get("/home").headers["Location"].startswith("/sign-in")
    assert portal.visitor().sign_in("ada@home.example").status_code == 401


@pytest.mark.parametrize(
    "former", [{"status": "inactive"}, {"email": "elsewhere@home.example"}, {"email": None}, None],
)  # fmt: skip
def test_an_address_that_a_client_has_no_more_is_free(
    portal: Any, others: Others, former: dict[str, Any] | None
) -> None:
    """Somebody was there twice, and the one of them that signed in was made inactive."""
    portal.add("client", "ada@home.example", "c2")
    others.tell("GET", "/clients/c2", 200 if former else 404, {**ADA, "id": "c2", **(former or {})})
    invite_ada(portal, others)
    assert user(portal, "ada@home.example").client_id == "c1"
    assert portal.visitor().sign_in("ada@home.example").status_code == 401  # with the password of before


def test_who_has_a_password_is_sent_a_link_for_a_new_one(portal: Any, others: Others) -> None:
    portal.add("client", "ada@home.example", "c1")
    sam = portal.staff()
    done = sam.post("/clients/c1/invite", {"attempt": "a1"}, page="/account")
    assert done.headers["Location"].startswith("/clients/c1?said=client_has_password")
    assert mails(others)[-1]["body"]["kind"] == "password_reset"


def test_when_somebody_was_seen(portal: Any) -> None:
    portal.add("staff", "sam@harmony.example", name="Sam")
    assert user(portal, "sam@harmony.example").seen_at is None
    portal.visitor().sign_in("sam@harmony.example")
    assert user(portal, "sam@harmony.example").seen_at is not None
    assert isinstance(person_of(user(portal, "sam@harmony.example")), Person)


def test_a_twin_that_was_faster(portal: Any, others: Others, monkeypatch: pytest.MonkeyPatch) -> None:
    maria = portal.administrator()
    ensure, calls = users.ensure, []

    def slower(*arguments: Any) -> User:
        calls.append(arguments)
        if len(calls) == 1:
            raise IntegrityError("INSERT", {}, Exception("uq_users_email"))
        return ensure(*arguments)

    monkeypatch.setattr(users, "ensure", slower)
    assert maria.post(TEAM, NEW, page=TEAM).status_code == 303
    assert len(mails(others)) == 1
