"""What somebody does at PayPal so that its messages come here: data for a screen."""

from typing import Any

from gateway_paypal.settings import PayPalServiceSettings


def steps(settings: PayPalServiceSettings, business_id: str) -> dict[str, Any]:
    """{"notify_url", "reachable", "steps": [{"title", "text"}]}"""
    url = settings.ipn_url(business_id) if settings.callback_base_url else None
    shown = url or "the notify URL, which is shown here once CALLBACK_BASE_URL is set"
    return {
        "notify_url": url,
        "reachable": settings.callbacks_reach_us,
        "steps": [
            {"title": "Open the IPN settings", "text": (
                "Log in at PayPal with the business account, open Account Settings, then Notifications, and choose"
                " Update beside Instant payment notifications."
            )},
            {"title": "Set the notification URL", "text": (
                f"Choose IPN Settings or Edit Settings, enter {shown}, and choose to receive IPN messages. Payments"
                " that are begun here name this URL themselves; payments at the Virtual Terminal and money that is"
                " sent by hand come only to the URL that is set there."
            )},
            {"title": "Set the encoding to UTF-8", "text": (
                "In Account Settings, Website payments, PayPal button language encoding, choose More Options and set"
                " both to UTF-8. Other encodings are read as well, but some names cannot be written in them."
            )},
            {"title": "Name the invoice at the Virtual Terminal", "text": (
                "Type the invoice number, such as INV-000012, into the field Invoice number of each payment. It then"
                " settles that invoice by itself; without it the payment waits in the unmatched tray."
            )},
            {"title": "Send the test notification", "text": (
                "Back here, choose Send test. Each step says what it saw, and what to do if it is red."
            )},
        ],
    }  # fmt: skip
