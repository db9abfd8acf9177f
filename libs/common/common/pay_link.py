"""Pay links: a page of the portal that pays a fixed amount for one client, for whoever was sent the link.

What it says stands in the link, and is signed with the key of the service that made it; the portal checks the signature
against the public keys, so that no amount and no client can be changed, and no secret is shared.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from common import clock
from common.auth import Signer

GOOD_FOR = timedelta(days=90)
MAKERS = ("billing", "gateway-stripe")
_SIGNATURE = "&signature="


class LinkBroken(Exception):
    """A link that was changed, is too old, or was signed by nobody who may."""


@dataclass(frozen=True)
class PayLink:
    """What a link asks for. `amount_minor` is in the business's currency."""

    business_id: str
    client_id: str
    amount_minor: int
    invoice_number: str | None = None


@dataclass(frozen=True)
class PayLinks:
    """Makes links to the portal at `portal_url`."""

    portal_url: str
    signer: Signer

    def to(self, business_id: str, client_id: str, amount_minor: int, invoice_number: str | None = None) -> str:
        """A link that pays `amount_minor` for the client, of an invoice where one is named."""
        facts: dict[str, object] = {"business": business_id, "client": client_id, "amount_minor": amount_minor}
        if invoice_number is not None:
            facts["invoice"] = invoice_number
        facts["until"] = int((clock.now() + GOOD_FOR).timestamp())
        facts["key"] = self.signer.kid
        query = urlencode(facts)
        signature = base64.urlsafe_b64encode(self.signer.sign_bytes(query.encode())).decode().rstrip("=")
        return f"{self.portal_url}/pay?{query}{_SIGNATURE}{signature}"


def verify(query: str, keys: Mapping[str, tuple[Ed25519PublicKey, dict[str, object]]]) -> PayLink:
    """What a link's query string asks for; `keys` as `auth.read_jwks` gives them. Raises LinkBroken."""
    signed, _, signature = query.partition(_SIGNATURE)
    facts = dict(parse_qsl(signed, strict_parsing=False))
    key, limits = keys.get(facts.get("key", ""), (None, {}))
    callers = limits.get("callers")
    if key is None or not isinstance(callers, list) or not set(callers) & set(MAKERS):
        raise LinkBroken("its key is not known")
    try:
        key.verify(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), signed.encode())
        link = PayLink(facts["business"], facts["client"], int(facts["amount_minor"]), facts.get("invoice"))
        until = int(facts["until"])
    except (InvalidSignature, ValueError, KeyError):
        raise LinkBroken("it was changed") from None
    if until < clock.now().timestamp():
        raise LinkBroken("it is too old")
    return link
