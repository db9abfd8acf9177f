"""Tokens: who may claim what."""

import base64
import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.auth import Signer, Verifier, make_keys
from common.errors import Forbidden, NotFound, Unauthenticated

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
