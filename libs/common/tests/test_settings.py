"""Settings and the services' pages."""

from pathlib import Path

import pytest

from common import auth, service
from common.service import ServiceError
from common.settings import PORT_OFFSETS, Settings, SettingsError


def test_all_that_is_wrong_is_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read({"PORT_BASE": "many", "WEB_THREADS": "0", "AUTH_JWKS_FILE": "/nowhere", "SANDBOX": "maybe"})
    assert {line.split(":")[0] for line in str(caught.value).splitlines()} == {
        "PORT_BASE", "WEB_THREADS", "AUTH_JWKS_FILE", "SANDBOX",
    }  # fmt: skip


def test_ports_and_addresses_follow_the_base(tmp_path: Path) -> None:
    settings = Settings.read({"PORT_BASE": "9000", "VAR_DIR": str(tmp_path), "BILLING_URL": "http://billing/"})
    assert settings.url_of("payments") == "http://127.0.0.1:9001"
    assert settings.url_of("billing") == "http://billing"
    assert settings.database_url_for("payments") == f"sqlite:///{tmp_path}/payments.sqlite"


def test_every_installed_service_holds_together() -> None:
    for name in service.names():
        found = service.find(name)
        assert found.name == name
        assert name in PORT_OFFSETS
        assert name in auth.SERVICE_LIMITS
    with pytest.raises(ServiceError, match="no service called"):
        service.find("nothing")
