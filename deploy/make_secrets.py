"""The first start: make every password and key once, and hand each container only its own.

All of it is kept in /vault, which only containers of this program mount. What a container needs is written to the
volume that it mounts, here /secrets/<name>. What is there already stays, so this runs before every start.

`make_secrets.py --rotate NAME` makes NAME's anew: a service, `operator`, `postgres`, `rabbitmq` or `seal`.
`make_secrets.py --adopt DIR` takes over the keys that `make run` made. docs/operations.md says what else to do.
"""

import argparse
import json
import os
import secrets
import sys
from pathlib import Path

from common import auth, sealing
from common.settings import PORT_OFFSETS, SettingsError

VAULT = Path("/vault")
KEYS = VAULT / "keys"
SEAL_KEY = VAULT / "seal.key.json"
PASSWORDS = VAULT / "passwords"
DELIVERY = Path("/secrets")
OWNER = 10001  # the user of our image
DATABASE_ADMIN = "postgres"
BROKER_ADMIN = "remit-admin"
BROKER_VHOST = "remit"
DEFAULT_PORT_BASE = 8000


def main() -> None:
    services = os.environ["SERVICES"].split()
    parser = argparse.ArgumentParser(description="Make passwords and keys once.")
    parser.add_argument("--rotate", metavar="NAME", choices=[*services, "operator", "postgres", "rabbitmq", "seal"])
    parser.add_argument("--adopt", metavar="DIR", type=Path)
    parsed = parser.parse_args()
    rotated = parsed.rotate
    os.umask(0o077)
    if parsed.adopt:
        adopt(parsed.adopt)
        return
    check_ports(services)
    PASSWORDS.mkdir(parents=True, exist_ok=True)
    if rotated and rotated != "seal":
        forget(rotated)
    auth.make_keys(KEYS)
    sealing.make_key(SEAL_KEY)
    if rotated == "seal":
        sealing.add_key(SEAL_KEY)  # the older ones stay: they open what they sealed
    missing = [name for name in services if not key_file(name).exists()]
    if missing:
        sys.exit(f"remit: no signing key for {', '.join(missing)}: common.auth.SERVICE_LIMITS does not name it")

    for service in services:
        files = {"env": service_environment(service), "service.key.json": key_file(service).read_text()}
        if service.startswith("gateway-"):  # who keeps others' secrets
            files["seal.key.json"] = SEAL_KEY.read_text()
        deliver(service, files)
    deliver("operator", {"operator.key.json": key_file("operator").read_text()})
    deliver("public", {"jwks.json": (KEYS / "jwks.json").read_text()}, is_public=True)
    deliver(
        "postgres",
        {
            "env": as_environment(POSTGRES_USER=DATABASE_ADMIN, POSTGRES_PASSWORD=password("postgres")),
            "roles.json": json.dumps(
                {role: password(f"{role}.database") for name in services for role in (name, f"{name}-web")}
            ),
            "pgpass": "".join(f"postgres:5432:{name}:{name}:{password(f'{name}.database')}\n" for name in services),
        },
    )
    deliver(
        "rabbitmq",
        {
            "env": as_environment(
                RABBITMQ_DEFAULT_USER=BROKER_ADMIN,
                RABBITMQ_DEFAULT_PASS=password("rabbitmq"),
                RABBITMQ_DEFAULT_VHOST=BROKER_VHOST,
                AMQP_URL=amqp_url(BROKER_ADMIN, password("rabbitmq")),
            ),
            "users.json": json.dumps({name: password(f"{name}.broker") for name in services}),
        },
    )
    deliver(
        "backup",
        {
            "env": as_environment(
                BACKUP_DATABASE_URL=f"postgresql://{DATABASE_ADMIN}:{password('postgres')}@postgres:5432/{{service}}",
                AMQP_URL=amqp_url(BROKER_ADMIN, password("rabbitmq")),
            )
        },
    )
    print(f"remit: secrets are in place for {', '.join(services)}" + (f"; {rotated}'s are new" if rotated else ""))  # noqa: T201


def adopt(folder: Path) -> None:
    """Trust what the keys of a `make run` signed, and open what they sealed, as after a rotation. The next start hands
    that over."""
    try:
        new = auth.adopt_keys(KEYS, folder)
        sealing.adopt_keys(SEAL_KEY, folder / "seal.key.json")
    except (SettingsError, OSError) as error:
        sys.exit(f"remit: {error}; VAR_DIR names the folder that `make run` kept its data in")
    print(f"remit: {len(new)} older signing keys are trusted now, and what was sealed there opens here")  # noqa: T201


def check_ports(services: list[str]) -> None:
    """Compose cannot add: PORT_BASE moves the published ports only together with each port's own variable."""
    base = int(os.environ.get("PORT_BASE") or DEFAULT_PORT_BASE)
    if base == DEFAULT_PORT_BASE:
        return
    names = [*services, "sandbox"]
    wanted = {f"{name.upper().replace('-', '_')}_PORT": base + PORT_OFFSETS[name] for name in names}
    if any(os.environ.get(name, "") == "" for name in wanted):
        lines = "\n".join(f"{name}={port}" for name, port in {"PORT_BASE": base, **wanted}.items())
        sys.exit(
            f"remit: PORT_BASE is {base}, but Compose cannot add to it, as `make up` does for trying. Put in .env:\n"
            f"{lines}"
        )


def password(name: str) -> str:
    """The password called `name`, made when it is asked for the first time."""
    kept = PASSWORDS / name
    if not kept.exists():
        auth.write_private(kept, secrets.token_hex(24))
    return kept.read_text()


def key_file(name: str) -> Path:
    return KEYS / f"{name}.key.json"


def forget(name: str) -> None:
    """Forget `name`'s passwords and key, and trust its old key no longer."""
    passwords = [PASSWORDS / (name + of) for of in ("", ".database", "-web.database", ".broker")]
    for kept in (*passwords, key_file(name)):
        kept.unlink(missing_ok=True)
    jwks_file = KEYS / "jwks.json"
    if jwks_file.exists():
        public = json.loads(jwks_file.read_text())["keys"]
        stay = [jwk for jwk in public if jwk["kid"].rpartition("-")[0] != name]
        auth.write_private(jwks_file, json.dumps({"keys": stay}, indent=1), mode=0o644)


def service_environment(service: str) -> str:
    return as_environment(
        DATABASE_URL=database_url(service, service),
        WEB_DATABASE_URL=database_url(f"{service}-web", service),
        AMQP_URL=amqp_url(service, password(f"{service}.broker")),
    )


def database_url(role: str, database: str) -> str:
    return f"postgresql://{role}:{password(f'{role}.database')}@postgres:5432/{database}"


def amqp_url(user: str, secret: str) -> str:
    return f"amqp://{user}:{secret}@rabbitmq:5672/{BROKER_VHOST}"


def as_environment(**variables: str) -> str:
    """Lines for with-secrets.sh; none of the values holds a quote."""
    return "".join(f"{name}='{value}'\n" for name, value in variables.items())


def deliver(part: str, files: dict[str, str], *, is_public: bool = False) -> None:
    """Write `files` to the volume of `part`, readable by our image's user only; a file that is right is not touched."""
    folder = DELIVERY / part
    if not folder.is_mount():
        sys.exit(f"remit: the volume for {part}'s secrets is not mounted at {folder}; see `init` in docker-compose.yml")
    os.chown(folder, OWNER, OWNER)
    folder.chmod(0o755 if is_public else 0o700)
    for name, content in files.items():
        target = folder / name
        if target.exists() and target.read_text() == content:
            continue
        new = folder / f"{name}.part"
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(content)
        new.chmod(0o444 if is_public else 0o400)
        os.chown(new, OWNER, OWNER)
        new.replace(target)


if __name__ == "__main__":
    main()
