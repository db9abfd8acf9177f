"""Settings are read once at start, from the environment; all that is missing or wrong is reported together."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

PORT_OFFSETS = {
    "portal": 0,
    "payments": 1,
    "billing": 2,
    "gateway-stripe": 3,
    "gateway-paypal": 4,
    "notifications": 5,
    "sandbox": 9,
}
SMTP_OFFSET = 25


class SettingsError(Exception):
    """What is missing or wrong in the environment, one line each."""


def _existing_file(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


ExistingFile = Annotated[Path | None, AfterValidator(_existing_file)]


class Settings(BaseModel):
    """What every service reads. Names in the environment are these in capitals."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    port_base: int = Field(default=8000, ge=1, le=65000)
    bind: str = "127.0.0.1"
    var_dir: Path = Path("var")
    database_url: str = ""
    web_database_url: str = Field(
        default="", description="For `web`: a role under row-level security; else DATABASE_URL"
    )
    amqp_url: str = ""
    auth_jwks_file: ExistingFile = None
    service_key_file: ExistingFile = None
    seal_key_file: ExistingFile = None
    clock_file: Path | None = None
    crash_file: Path | None = None
    sandbox: Literal["on", "off"] = "off"
    payments_url: str = ""
    billing_url: str = ""
    notifications_url: str = ""
    portal_url: str = Field(default="", description="Where the portal answers while it has no public address")
    portal_public_url: str = Field(default="", description="Links in mails and pay links begin with it")
    support_contact: str = Field(default="whoever runs Remit for you", description="Whom people are sent to for help")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    web_workers: int = Field(default=2, ge=1, le=64)
    web_threads: int = Field(default=8, ge=1, le=64)
    database_pool_size: int = Field(default=12, ge=1, le=200)
    batch_size: int = Field(default=200, ge=1, le=2000)
    # How long after a batch the next begins. A transaction costs several times what one more event in it costs: under
    # load, waiting a moment for company leaves more of the machine to everybody.
    gather_seconds: float = Field(default=0.01, ge=0, le=5)
    relay_gather_seconds: float = Field(default=0.005, ge=0, le=5)
    worker_metrics_port: int = Field(default=0, ge=0, le=65535, description="0 = the worker serves no metrics")

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Settings from `environ`; raises SettingsError naming every variable that is wrong."""
        environ = os.environ if environ is None else environ
        found = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper(), "") != ""}
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            lines = [f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]
            raise SettingsError("\n".join(lines)) from None

    def database_url_for(self, service: str) -> str:
        """The service's own database; a file under `var_dir` unless DATABASE_URL says otherwise."""
        return self.database_url or f"sqlite:///{(self.var_dir / f'{service}.sqlite').absolute()}"

    def port_of(self, service: str) -> int:
        return self.port_base + PORT_OFFSETS[service]

    @property
    def portal(self) -> str:
        """Where people reach the portal, without a slash at the end."""
        return (self.portal_public_url or self.url_of("portal")).rstrip("/")

    def url_of(self, service: str) -> str:
        """Where `service` answers, without a slash at the end."""
        named = getattr(self, service.replace("-", "_") + "_url", "")
        return (named or f"http://127.0.0.1:{self.port_of(service)}").rstrip("/")
