"""Who is calling: EdDSA tokens, checked against a JWKS file where each key says what its tokens may claim.

A key's `remit` member limits it: `{"callers": ["portal"], "scopes": ["payments:read"], "businesses": ["*"]}`. A caller
that ends in `:*` stands for all that begin so, such as `team:*`.
"""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from common.errors import Forbidden, NotFound, Unauthenticated
from common.ids import new_id
from common.settings import SettingsError

AUDIENCE = "remit"
SCOPES = (
    "payments:read", "payments:write", "payments:refund",
    "billing:read", "billing:write", "billing:adjust",
    "gateway:read", "gateway:charge", "gateway:settings",
    "notifications:read", "notifications:write",
    "events:read", "operations:read", "operations:write", "operator",
)  # fmt: skip
# These reach all businesses: people who operate Remit, and its services for them; never a client, never a team.
OPERATING = frozenset({"operations:read", "operations:write", "operator"})
# The callers that the portal signs for, see `Signer.sign`: a team of a business that holds a secret.
TEAM = "team:"
SERVICE_TOKEN_SECONDS = 300
CLOCK_SKEW_SECONDS = 30
REMEMBERED_TOKENS = 2_000
MAX_TOKEN_CHARACTERS = 8_000


@dataclass(frozen=True)
class Caller:
    """A verified caller. `business` is an id or `*`; `actor` is who acts through the caller."""

    sub: str
    business: str
    scopes: frozenset[str]
    actor: dict[str, str] = field(default_factory=dict)
    expires_at: float = 0.0

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "operator" in self.scopes

    def require(self, scope: str) -> None:
        if not self.may(scope):
            raise Forbidden("scope_missing", f"This token does not carry the scope {scope}. Ask for one that does.")

    def require_every_business(self) -> None:
        """What concerns the whole system is for tokens that are good for all of it."""
        if self.business != "*":
            raise Forbidden("business_limited", "This token is for one business. Ask for one that is for all of them.")

    def require_business(self, business_id: str) -> None:
        """Another business is answered as if it were not there."""
        if self.business not in ("*", business_id):
            raise NotFound("not_found", "There is no such business.")

    @property
    def client_id(self) -> str | None:
        """The one client whom this caller may see, when a client is acting."""
        return self.actor["id"] if self.actor.get("type") == "client" else None

    def require_staff(self, thing: str) -> None:
        """What is the staff's is answered to a client as if it were not there; `thing` is what was asked for."""
        if self.client_id is not None:
            raise NotFound("not_found", f"There is no such {thing}.")

    def require_client(self, client_id: str) -> None:
        if self.client_id not in (None, client_id):
            raise NotFound("not_found", "There is no such client.")


class Verifier:
    """Checks tokens against a JWKS file; tokens once verified are remembered until they expire."""

    def __init__(self, jwks_file: Path) -> None:
        self._jwks_file = jwks_file
        self._keys: dict[str, tuple[Ed25519PublicKey, dict[str, Any]]] = {}
        self._read_at_ns = 0
        self._known: OrderedDict[str, Caller] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, token: str) -> Caller:
        """The caller, or Unauthenticated with what is wrong with the token."""
        self._read_if_changed()
        with self._lock:
            caller = self._known.get(token)
        if caller is not None and caller.expires_at > time.time():
            return caller
        caller = self._verify(token)
        with self._lock:
            self._known[token] = caller
            while len(self._known) > REMEMBERED_TOKENS:
                self._known.popitem(last=False)
        return caller

    def _verify(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise _bad("it is too long")
        try:
            key, allowed = self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": ["sub", "aud", "exp", "jti"]},
            )
        except jwt.ExpiredSignatureError:
            raise _bad("it has expired; get a new one") from None
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise _bad(str(error)) from None
        return _caller(claims, allowed)

    def _read_if_changed(self) -> None:
        """A key may be added or withdrawn while services run."""
        changed_ns = self._jwks_file.stat().st_mtime_ns
        if changed_ns != self._read_at_ns:
            with self._lock:
                self._keys = read_jwks(self._jwks_file)
                self._read_at_ns = changed_ns
                self._known.clear()

    def _key(self, kid: str) -> tuple[Ed25519PublicKey, dict[str, Any]]:
        if kid not in self._keys:
            raise _bad("its key is not known here")
        return self._keys[kid]


def _caller(claims: dict[str, Any], allowed: dict[str, Any]) -> Caller:
    scopes = frozenset(str(claims.get("scope", "")).split())
    business = str(claims.get("business") or "")
    actor = claims.get("actor") or {"type": "team", "id": claims["sub"], "name": claims["sub"]}
    if not business:
        raise _bad("it names no business")
    if not isinstance(actor, dict) or actor.get("type") not in ("staff", "client", "team", "system"):
        raise _bad("its actor is not one that Remit knows")
    if actor["type"] == "client" and (not actor.get("id") or scopes & OPERATING):
        raise _bad("a client's token needs the client's id and no operator scope")
    caller = str(claims["sub"])
    if caller.startswith(TEAM) and (actor["type"] != "team" or business == "*" or scopes & OPERATING):
        raise _bad("a team's token is for itself, for one business, and without operator scopes")
    if not (_speaks_for(caller, allowed.get("callers")) and _within([business], allowed.get("businesses"))):
        raise _bad("its key may not speak for that caller or business")
    if not _within(scopes, allowed.get("scopes")):
        raise _bad("its key may not grant those scopes")
    actor = {name: str(actor.get(name) or "")[:200] for name in ("type", "id", "name")}
    return Caller(caller, business, scopes, actor, float(claims["exp"]))


def _speaks_for(caller: str, allowed: Sequence[str] | None) -> bool:
    """Whether a key may sign for this caller: by its name, or by a beginning such as `team:*`."""
    beginnings = [name[:-1] for name in allowed or () if name.endswith(":*")]
    is_one_of_them = any(caller.startswith(beginning) and caller != beginning for beginning in beginnings)
    return _within([caller], allowed) or is_one_of_them


def _within(wanted: Iterable[str], allowed: Sequence[str] | None) -> bool:
    return allowed is not None and ("*" in allowed or set(wanted) <= set(allowed))


def _bad(reason: str) -> Unauthenticated:
    return Unauthenticated(
        "token_invalid",
        f"The bearer token was not accepted: {reason}.",
        headers={"WWW-Authenticate": "Bearer"},
    )


class Signer:
    """Signs tokens with one private key (a JWK file with a `kid`)."""

    def __init__(self, key_file: Path) -> None:
        jwk = json.loads(key_file.read_text())
        self.kid: str = jwk["kid"]
        key = OKPAlgorithm.from_jwk(jwk)
        assert isinstance(key, Ed25519PrivateKey)
        self._key = key
        self._held: dict[tuple[str, str, str], tuple[float, str]] = {}

    def sign(
        self, caller: str, scope: str, business: str, ttl_seconds: float, actor: dict[str, str] | None = None
    ) -> str:
        """A token for `caller`; `scope` is a space-separated list, `business` one id or `*`."""
        now = time.time()
        claims: dict[str, Any] = {
            "sub": caller,
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": int(now + ttl_seconds),
            "jti": new_id(),
            "scope": scope,
            "business": business,
        }
        if actor is not None:
            claims["actor"] = actor
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self.kid})

    def sign_bytes(self, data: bytes) -> bytes:
        """The bare signature of `data`, 64 bytes."""
        return self._key.sign(data)

    def service_token(self, service: str, scope: str, business: str) -> str:
        """A five-minute token for a service's own call, signed again when half of it is over."""
        held = self._held.get((service, scope, business))
        if held is not None and held[0] > time.time():
            return held[1]
        actor = {"type": "system", "id": service, "name": service}
        token = self.sign(service, scope, business, SERVICE_TOKEN_SECONDS, actor)
        if len(self._held) > REMEMBERED_TOKENS:
            self._held.clear()
        self._held[service, scope, business] = (time.time() + SERVICE_TOKEN_SECONDS / 2, token)
        return token


def read_jwks(path: Path) -> dict[str, tuple[Ed25519PublicKey, dict[str, Any]]]:
    """kid → (public key, what its tokens may claim)."""
    keys = {}
    for jwk in json.loads(path.read_text())["keys"]:
        key = OKPAlgorithm.from_jwk(jwk)
        assert isinstance(key, Ed25519PublicKey)
        keys[jwk["kid"]] = (key, jwk.get("remit", {}))
    return keys


def keys_of(jwks_file: Path, caller: str) -> list[Ed25519PublicKey]:
    """The public keys that a caller signs with, or has signed with and are not retired yet."""
    found = read_jwks(jwks_file).values()
    return [key for key, limits in found if caller in (limits.get("callers") or [])]


# What each service's own key may do: the least that its calls to the others need.
SERVICE_LIMITS: dict[str, list[str]] = {
    "payments": ["billing:read", "notifications:write"],
    "billing": ["payments:read"],
    "notifications": ["payments:read", "billing:read"],
    "gateway-stripe": ["billing:read", "notifications:write"],
    "gateway-paypal": ["billing:read"],
    "portal": [  # everything that staff do, what it gives to teams, and looking after the system for operators
        "billing:read",
        "billing:write",
        "billing:adjust",
        "payments:read",
        "payments:write",
        "payments:refund",
        "gateway:read",
        "gateway:charge",
        "gateway:settings",
        "notifications:read",
        "notifications:write",
        "events:read",
        "operations:read",
        "operations:write",
    ],
}
# For whom else than itself a service's key may speak: the portal for the teams whose secrets it checks.
SPEAKS_FOR = {"portal": [f"{TEAM}*"]}


def make_keys(folder: Path) -> None:
    """Make the JWKS file, a signing key per service and the operator's in `folder`. Keys that are there already stay;
    what they may claim is brought up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    limits = {
        name: {"callers": [name, *SPEAKS_FOR.get(name, ())], "scopes": scopes, "businesses": ["*"]}
        for name, scopes in SERVICE_LIMITS.items()
    }
    limits["operator"] = {"callers": ["*"], "scopes": ["*"], "businesses": ["*"]}
    jwks_file = folder / "jwks.json"
    public = json.loads(jwks_file.read_text())["keys"] if jwks_file.exists() else []
    known = {jwk["kid"] for jwk in public}
    for name, limit in limits.items():
        key_file = folder / f"{name}.key.json"
        kid = json.loads(key_file.read_text())["kid"] if key_file.exists() else None
        if kid in known:
            next(jwk for jwk in public if jwk["kid"] == kid)["remit"] = limit
            continue
        private = Ed25519PrivateKey.generate()
        kid = f"{name}-{new_id()[-12:]}"
        write_private(key_file, json.dumps({**OKPAlgorithm.to_jwk(private, as_dict=True), "kid": kid}))
        public_jwk = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
        public.append({**public_jwk, "kid": kid, "alg": "EdDSA", "use": "sig", "remit": limit})
    write_private(jwks_file, json.dumps({"keys": public}, indent=1), mode=0o644)


def rotate_key(folder: Path, name: str) -> str:
    """Give `name` a new signing key in `folder`; answers its kid. What the older one signed stays good, as its public
    key is still told, until `retire_keys`. Raises SettingsError where there is none to rotate."""
    key_file = folder / f"{name}.key.json"
    if name not in (*SERVICE_LIMITS, "operator") or not key_file.is_file():
        raise SettingsError(
            f"there is no signing key of {name} in {folder}; `remit keys {folder}` makes what is missing"
        )
    key_file.unlink()
    make_keys(folder)
    return str(json.loads(key_file.read_text())["kid"])


def retire_keys(folder: Path, name: str) -> list[str]:
    """Trust no key of `name` but the newest any longer; answers the kids that went. Raises SettingsError."""
    key_file = folder / f"{name}.key.json"
    if not key_file.is_file():
        raise SettingsError(f"there is no signing key of {name} in {folder}; nothing was retired")
    newest = json.loads(key_file.read_text())["kid"]
    jwks_file = folder / "jwks.json"
    public = json.loads(jwks_file.read_text())["keys"]
    gone = [jwk["kid"] for jwk in public if jwk["kid"].rpartition("-")[0] == name and jwk["kid"] != newest]
    stay = [jwk for jwk in public if jwk["kid"] not in gone]
    write_private(jwks_file, json.dumps({"keys": stay}, indent=1), mode=0o644)
    return gone


def adopt_keys(folder: Path, other: Path) -> list[str]:
    """Trust in `folder` what the keys of `other` have signed, as after a rotation; answers the kids that are new.
    Raises SettingsError."""
    theirs = other / "jwks.json"
    if not theirs.is_file():
        raise SettingsError(f"there is no {theirs}; name the folder of the keys to adopt")
    jwks_file = folder / "jwks.json"
    public = json.loads(jwks_file.read_text())["keys"]
    known = {jwk["kid"] for jwk in public}
    new = [jwk for jwk in json.loads(theirs.read_text())["keys"] if jwk["kid"] not in known]
    write_private(jwks_file, json.dumps({"keys": [*public, *new]}, indent=1), mode=0o644)
    return [jwk["kid"] for jwk in new]


def write_private(path: Path, content: str, mode: int = 0o600) -> None:
    """Write a whole file or none, readable by its owner only unless `mode` says otherwise."""
    part = path.with_name(path.name + ".part")
    part.touch(mode=mode)
    part.chmod(mode)
    part.write_text(content)
    part.replace(path)
