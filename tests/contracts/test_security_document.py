"""docs/security.md names tests that exist, and what it says of files is so."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"`([\w/.-]+\.py)::(\w+)`", DOCUMENT)


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) >= 30
    assert DOCUMENT.count("::") == len(NAMED), "a test is not named as `path::name`"
    for path, name in NAMED:
        assert f"\ndef {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


def test_csv_is_written_in_one_place() -> None:
    """So that no export forgets what `common.web.csv` does about formulas."""
    writing = [
        path.relative_to(ROOT).as_posix()
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("*.py")
        if "tests" not in path.parts and re.search(r"csv\.(Dict)?[wW]riter\(", path.read_text())
    ]
    # The sheet is text for a form of ours, read by nothing else.
    assert sorted(writing) == ["libs/common/common/web/csv.py", "services/portal/portal/domain/sheet.py"]


# Root for a moment, without a network, to hand each secret to the one who may read it.
HAND_OUT = {"init", "certificate", "adopt"}
# Root for a while, to read or write a folder that is somebody else's; with the databases in reach, and no way out.
READ_IN = {"move", "backup", "restore"}
# Begin as root, and drop to users of their own.
OFFICIAL = {"postgres", "rabbitmq"}
# Others may read every secret at most.
WRITES_VAULT = {"init", "adopt", "restore"}


def test_every_service_is_confined() -> None:
    for name, service in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        may_be_more = OFFICIAL | HAND_OUT | READ_IN
        assert len(service.get("cap_add", [])) <= (5 if name in OFFICIAL else 3 if name in may_be_more else 0), name
        writes_vault = any(volume == "vault:/vault" for volume in service.get("volumes", []))
        assert writes_vault == (name in WRITES_VAULT), name
        if service.get("image", "").startswith("remit"):
            assert service["read_only"] is True, name
            if name in HAND_OUT:
                assert service["network_mode"] == "none", name
            elif name in READ_IN:
                assert service["networks"] == ["inner"], name
            else:
                assert service.get("user") is None, name


def test_every_package_is_pinned_with_its_hash() -> None:
    for lock in ("run", "dev", "rivals"):
        text = (ROOT / "requirements" / f"{lock}.lock").read_text()
        for line in re.findall(r"^[\w.\[\]-]+.*$", text, re.MULTILINE):
            assert re.match(r"[\w.\[\]-]+==\S+", line), line
        packages = re.split(r"^(?=[\w])", text, flags=re.MULTILINE)
        assert all("--hash=sha256:" in package for package in packages if "==" in package.split("\n")[0])
    assert "--require-hashes" in (ROOT / "Makefile").read_text()
