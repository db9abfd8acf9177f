"""What notifications reads besides the common settings."""

from pydantic import Field, field_validator

from common.settings import Settings


class NotificationsSettings(Settings):
    # Mail can wait a moment: what money needs of the machine comes first.
    gather_seconds: float = Field(default=0.25, ge=0, le=5)
    relay_gather_seconds: float = Field(default=0.25, ge=0, le=5)
    smtp_url: str = "smtp://127.0.0.1:8025"
    mail_from: str = "receipts@remit.example"

    @field_validator("smtp_url")
    @classmethod
    def check_smtp_url(cls, url: str) -> str:
        if not url.startswith(("smtp://", "smtps://")):
            raise ValueError("an address such as smtp://user:password@mail.example:587 is expected")
        return url
