"""Pay links say what they ask for, and nothing of it can be changed."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import auth, clock, pay_link
from common.auth import Signer
from common.pay_link import LinkBroken, PayLink, PayLinks


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    auth.make_keys(tmp_path)
    return tmp_path


def made(keys: Path, service: str = "billing") -> str:
    links = PayLinks("https://portal.example", Signer(keys / f"{service}.key.json"))
    return urlsplit(links.to("b1", "c1", 3000, "INV-000012")).query


def test_a_link_is_what_it_says(keys: Path) -> None:
    query = made(keys)
    assert parse_qs(query)["amount_minor"] == ["3000"]
    assert pay_link.verify(query, auth.read_jwks(keys / "jwks.json")) == PayLink("b1", "c1", 3000, "INV-000012")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 400), letter=st.sampled_from("0a&=Z-"))
def test_a_changed_link_is_refused(keys: Path, place: int, letter: str) -> None:
    query = made(keys)
    place %= len(query) - 1  # the last letter of a signature holds bits that count for nothing
    changed = query[:place] + letter + query[place + 1 :]
    if changed != query:
        with pytest.raises(LinkBroken):
            pay_link.verify(changed, auth.read_jwks(keys / "jwks.json"))


def test_only_billing_makes_links_and_not_for_ever(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jwks = auth.read_jwks(keys / "jwks.json")
    for query in (made(keys, "payments"), made(keys, "operator"), "", "business=b1"):
        with pytest.raises(LinkBroken, match="not known"):
            pay_link.verify(query, jwks)
    query, now = made(keys), clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=91))
    with pytest.raises(LinkBroken, match="too old"):
        pay_link.verify(query, jwks)
