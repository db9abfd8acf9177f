"""Tokens: who may claim what."""

import base64
import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import runner
from common.auth import SERVICE_LIMITS, Signer, Verifier, adopt_keys, make_keys, retire_keys
from common.errors import Forbidden, NotFound, Unauthenticated
from common.settings import SettingsError

CLIENT = {"type": "client", "id": "c1", "name": "Ada"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path)
    return tmp_path


@pytest.fixture
def verifier(keys: Path) -> Verifier:
    return Verifier(keys / "jwks.json")


@pytest.fixture
def operator(keys: Path) -> Signer:
    return Signer(keys / "operator.key.json")


def test_a_good_token_says_who_is_calling(verifier: Verifier, operator: Signer) -> None:
    caller = verifier.verify(
        operator.sign("desk", "payments:read", "b1", 60, {"type": "staff", "id": "7", "name": "Ann"})
    )
    assert (caller.sub, caller.business, caller.scopes) == ("desk", "b1", {"payments:read"})
    assert caller.actor == {"type": "staff", "id": "7", "name": "Ann"}
    caller.require("payments:read")
    caller.require_business("b1")
    with pytest.raises(Forbidden):
        caller.require("payments:write")
    with pytest.raises(NotFound):
        caller.require_business("b2")


def test_a_client_reaches_only_itself(verifier: Verifier, operator: Signer) -> None:
    caller = verifier.verify(operator.sign("portal", "billing:read", "b1", 60, CLIENT))
    caller.require_client("c1")
    with pytest.raises(NotFound):
        caller.require_client("c2")
    with pytest.raises(Unauthenticated):
        verifier.verify(operator.sign("portal", "operator", "b1", 60, CLIENT))


def test_expired_and_foreign_and_unsigned_tokens_are_refused(verifier: Verifier, operator: Signer) -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.verify(operator.sign("desk", "operator", "*", -60))
    claims = {"sub": "desk", "aud": "remit", "exp": time.time() + 60, "jti": "1", "scope": "operator", "business": "*"}
    kid = jwt.get_unverified_header(operator.sign("desk", "operator", "*", 60))["kid"]
    stranger = Ed25519PrivateKey.generate()
    for forged in (
        jwt.encode(claims, stranger, algorithm="EdDSA", headers={"kid": kid}),
        jwt.encode(claims, stranger, algorithm="EdDSA", headers={"kid": "unknown"}),
        jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(claims, None, algorithm="none", headers={"kid": kid}),
        "not.a.token",
        "",
        "é",
        "x" * 10_000,
    ):
        with pytest.raises(Unauthenticated):
            verifier.verify(forged)


@pytest.mark.parametrize("change", [{"aud": "other"}, {"business": ""}, {"actor": {"type": "god"}}, {"actor": "x"}])
def test_claims_that_do_not_fit_are_refused(
    verifier: Verifier, keys: Path, operator: Signer, change: dict[str, object]
) -> None:
    good = operator.sign("desk", "operator", "*", 60)
    claims = {**jwt.decode(good, options={"verify_signature": False}), **change}
    key = jwt.algorithms.OKPAlgorithm.from_jwk((keys / "operator.key.json").read_text())
    kid = jwt.get_unverified_header(good)["kid"]
    with pytest.raises(Unauthenticated):
        verifier.verify(jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid}))


def test_a_key_grants_no_more_than_its_limits(verifier: Verifier, keys: Path) -> None:
    payments = Signer(keys / "payments.key.json")
    verifier.verify(payments.service_token("payments", "billing:read", "b1"))
    for caller, scope in (("payments", "billing:write"), ("billing", "billing:read"), ("payments", "operator")):
        with pytest.raises(Unauthenticated):
            verifier.verify(payments.sign(caller, scope, "b1", 60))


def test_a_tampered_token_is_refused_even_after_the_good_one(verifier: Verifier, operator: Signer) -> None:
    good = operator.sign("desk", "payments:read", "b1", 60)
    verifier.verify(good)
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    body = base64.urlsafe_b64encode(json.dumps({**claims, "business": "*"}).encode()).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        verifier.verify(".".join([head, body, signature]))


def test_a_withdrawn_key_ends_its_tokens(verifier: Verifier, keys: Path, operator: Signer) -> None:
    token = operator.sign("desk", "operator", "*", 60)
    verifier.verify(token)
    jwks = json.loads((keys / "jwks.json").read_text())
    jwks["keys"] = [key for key in jwks["keys"] if not key["kid"].startswith("operator")]
    (keys / "jwks.json").write_text(json.dumps(jwks))
    with pytest.raises(Unauthenticated):
        verifier.verify(token)


def test_making_keys_again_changes_nothing(keys: Path) -> None:
    before = {path.name: path.read_text() for path in keys.iterdir()}
    make_keys(keys)
    assert {path.name: path.read_text() for path in keys.iterdir()} == before
    assert (keys / "operator.key.json").stat().st_mode & 0o077 == 0


TEAM = {"type": "team", "id": "team-1", "name": "Reporting"}


def test_the_portal_speaks_for_itself_and_for_teams_only(verifier: Verifier, keys: Path) -> None:
    portal = Signer(keys / "portal.key.json")
    caller = verifier.verify(portal.sign("team:team-1", "payments:read", "b1", 60, TEAM))
    assert (caller.sub, caller.business, caller.actor) == ("team:team-1", "b1", TEAM)
    verifier.verify(portal.sign("portal", "payments:read", "b1", 60))
    for name in ("payments", "operator", "team:", "team", "teams:x", "portal:x", "*", ""):
        with pytest.raises(Unauthenticated):
            verifier.verify(portal.sign(name, "payments:read", "b1", 60, TEAM))
    for other in ("payments", "billing", "gateway-stripe", "notifications"):
        with pytest.raises(Unauthenticated):
            verifier.verify(Signer(keys / f"{other}.key.json").sign("team:team-1", "billing:read", "b1", 60, TEAM))


@pytest.mark.parametrize(
    ("scope", "business", "actor"),
    [
        ("operations:read", "b1", TEAM),
        ("payments:read operations:write", "b1", TEAM),
        ("payments:read", "*", TEAM),
        ("payments:read", "b1", {"type": "staff", "id": "s1", "name": "Sam"}),
        ("payments:read", "b1", CLIENT),
    ],
)
def test_a_team_is_never_more_than_a_team_of_one_business(
    verifier: Verifier, keys: Path, scope: str, business: str, actor: dict[str, str]
) -> None:
    for name in ("portal", "operator"):
        with pytest.raises(Unauthenticated):
            verifier.verify(Signer(keys / f"{name}.key.json").sign("team:team-1", scope, business, 60, actor))


def test_a_client_never_operates(verifier: Verifier, keys: Path) -> None:
    for scope in ("operations:read", "operations:write", "operator"):
        with pytest.raises(Unauthenticated):
            verifier.verify(Signer(keys / "portal.key.json").sign("portal", scope, "*", 60, CLIENT))
    assert verifier.verify(Signer(keys / "portal.key.json").sign("portal", "operations:read", "*", 60))


def test_a_rotated_key_signs_while_the_older_ones_tokens_stay_good_until_it_is_retired(
    keys: Path, operator: Signer, capsys: pytest.CaptureFixture[str]
) -> None:
    old = operator.sign("desk", "payments:read", "b1", 600)
    others = Signer(keys / "payments.key.json").service_token("payments", "billing:read", "b1")
    assert runner.main(["keys", "rotate", "operator", "--folder", str(keys)]) == 0
    renewed = Signer(keys / "operator.key.json")
    assert renewed.kid != operator.kid
    new = renewed.sign("desk", "payments:read", "b1", 600)
    for token in (old, new, others):
        Verifier(keys / "jwks.json").verify(token)

    make_keys(keys)  # as every start does
    assert Signer(keys / "operator.key.json").kid == renewed.kid
    assert runner.main(["keys", "retire", "operator", "--folder", str(keys)]) == 0
    assert operator.kid in capsys.readouterr().out
    with pytest.raises(Unauthenticated):
        Verifier(keys / "jwks.json").verify(old)
    for token in (new, others):
        Verifier(keys / "jwks.json").verify(token)


@pytest.mark.parametrize("what", ["rotate", "retire"])
def test_a_key_that_is_not_there_is_neither_rotated_nor_retired(
    what: str, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (keys / "jwks.json").read_text()
    assert runner.main(["keys", what, "nobody", "--folder", str(keys)]) == 2
    assert "there is no signing key of nobody" in capsys.readouterr().err
    assert (keys / "jwks.json").read_text() == before


def test_adopted_keys_are_trusted_as_older_ones_until_they_are_retired(
    keys: Path, operator: Signer, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    make_keys(theirs)
    old = Signer(theirs / "operator.key.json").sign("desk", "payments:read", "b1", 600)
    with pytest.raises(Unauthenticated):
        Verifier(keys / "jwks.json").verify(old)
    assert len(adopt_keys(keys, theirs)) == len(SERVICE_LIMITS) + 1
    assert adopt_keys(keys, theirs) == []
    make_keys(keys)  # as every start does
    for token in (old, operator.sign("desk", "payments:read", "b1", 600)):
        Verifier(keys / "jwks.json").verify(token)
    assert len(retire_keys(keys, "operator")) == 1
    with pytest.raises(Unauthenticated):
        Verifier(keys / "jwks.json").verify(old)
    with pytest.raises(SettingsError, match="name the folder"):
        adopt_keys(keys, tmp_path / "nowhere")
