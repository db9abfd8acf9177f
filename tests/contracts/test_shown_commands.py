"""Commands that are shown to be copied can be run twice: what records a whole file carries an Idempotency-Key."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("shown_in", ["README.md", "embedded/embedded/__main__.py"])
def test_a_file_is_sent_with_a_key(shown_in: str) -> None:
    lines = re.sub(r"\\+\n\s*", " ", (ROOT / shown_in).read_text()).splitlines()
    sent = [line for line in lines if "/batch" in line]
    assert len(sent) == 2
    assert [line for line in sent if "-H 'Idempotency-Key: example-" not in line] == []
