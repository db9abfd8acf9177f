"""Whether a gateway on the internet can reach an address of ours."""

import ipaddress
from urllib.parse import urlsplit


def is_public_https(url: str) -> bool:
    """Whether it is an https:// address that is not of this machine or a private network."""
    found = urlsplit(url)
    if found.scheme != "https" or not found.hostname:
        return False
    try:
        return ipaddress.ip_address(found.hostname).is_global
    except ValueError:
        return "." in found.hostname and not found.hostname.endswith((".local", ".internal", ".localhost"))
