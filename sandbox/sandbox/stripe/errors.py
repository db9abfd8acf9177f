"""What went wrong, in Stripe's words."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """An error for the client.

    status: of HTTP. kept: what was written before stays written, and the answer is the one of its Idempotency-Key,
    as after a declined card. extra: further members of the error object (payment_intent, charge, decline_code, …).
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        *,
        kind: str = "invalid_request_error",
        kept: bool = False,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kept = kept
        members = {"code": code, "message": message, "param": param, **extra, "type": kind}
        self.error = {name: value for name, value in members.items() if value is not None}
        if code is not None:
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": self.error}


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeError:
    """The 400 for a parameter or a state that does not allow it."""
    return StripeError(400, message, code, param)


def missing(param: str) -> StripeError:
    """The 400 for a parameter that has to be there."""
    return StripeError(400, f"Missing required param: {param}.", "parameter_missing", param)


def unknown(param: str) -> StripeError:
    """The 400 for a parameter that there is not."""
    return StripeError(400, f"Received unknown parameter: {param}", "parameter_unknown", param)


def no_such(what: str, key: str, param: str, *, status: int = 404, elsewhere: str | None = None) -> StripeError:
    """No object of that id; elsewhere: the mode ("test", "live") in which there is one."""
    message = f"No such {what}: '{key}'"
    if elsewhere is not None:
        own = "live" if elsewhere == "test" else "test"
        message += f"; a similar object exists in {elsewhere} mode, but a {own} mode key was used to make this request."
    return StripeError(status, message, "resource_missing", param)


def card_error(message: str, code: str, decline_code: str | None = None, **extra: Any) -> StripeError:
    """The 402 for a card that was refused; what was written before it (the failed charge) stays."""
    return StripeError(402, message, code, kind="card_error", kept=True, decline_code=decline_code, **extra)
