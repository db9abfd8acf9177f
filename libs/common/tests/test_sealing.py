"""Sealed secrets open where they belong, and nowhere else; keys rotate."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import sealing
from common.sealing import SealBroken, Sealer


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "seal.key.json"
    sealing.make_key(path)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.text(max_size=300), place=st.text(max_size=100))
def test_what_is_sealed_opens_in_its_place(key_file: Path, secret: str, place: str) -> None:
    sealer = Sealer(key_file)
    sealed = sealer.seal(secret, place)
    assert sealer.open(sealed, place) == secret
    assert len(secret) < 8 or secret not in sealed
    with pytest.raises(SealBroken, match="does not belong"):
        sealer.open(sealed, place + "/other")
    assert sealer.seal(secret, place) != sealed


def test_a_changed_secret_does_not_open(key_file: Path) -> None:
    sealer = Sealer(key_file)
    sealed = sealer.seal("sk_test_secret", "b1/test")
    middle = len(sealed) // 2
    changed = sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]
    with pytest.raises(SealBroken):
        sealer.open(changed, "b1/test")


def test_keys_rotate_and_the_old_one_still_opens(key_file: Path) -> None:
    old = Sealer(key_file)
    sealed = old.seal("secret", "place")
    sealing.make_key(key_file)  # again does nothing
    sealing.add_key(key_file)
    new = Sealer(key_file)
    assert new.open(sealed, "place") == "secret"
    assert not new.is_current(sealed)
    assert new.is_current(new.seal("secret", "place"))
    assert old.open(new.seal("secret", "place"), "place") == "secret"  # it looks into the file again
    with pytest.raises(SealBroken, match="not in the key file"):
        old.open("k0." + sealed.partition(".")[2], "place")
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_adopted_keys_open_what_they_sealed_and_seal_nothing_more(key_file: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.key.json"
    sealing.make_key(theirs)
    sealed = Sealer(theirs).seal("secret", "place")
    before = Sealer(key_file).seal("mine", "place")
    sealing.adopt_keys(key_file, theirs)
    sealing.adopt_keys(key_file, theirs)
    both = Sealer(key_file)
    assert (both.open(sealed, "place"), both.open(before, "place")) == ("secret", "mine")
    assert both.is_current(before)
    assert not both.is_current(sealed)
    assert key_file.stat().st_mode & 0o777 == 0o600
