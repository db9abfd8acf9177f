"""Links that lead a client to paying a certain amount, pure. The portal decides who may follow them."""

from urllib.parse import urlencode


def pay_link(
    portal_url: str, business_id: str, client_id: str, amount_minor: int, invoice_number: str | None = None
) -> str:
    """A link to the portal's page that pays `amount_minor` for the client, of an invoice where one is named."""
    query = {"business": business_id, "client": client_id, "amount_minor": amount_minor}
    if invoice_number is not None:
        query["invoice"] = invoice_number
    return f"{portal_url}/pay?{urlencode(query)}"
