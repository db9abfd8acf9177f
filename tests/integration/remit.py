"""What the stories are told to."""

from typing import Any, Protocol

import requests


class Remit(Protocol):
    """A business of a running system, wherever it runs."""

    id: str

    def call(self, method: str, service: str, path: str, **options: Any) -> requests.Response: ...
    def url(self, service: str) -> str: ...
