"""A business's own words in the mails that its clients get."""

from typing import Annotated, Any, Literal

from flask_openapi3 import APIBlueprint, Tag
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from sqlalchemy import select

from common.directory import Directory
from common.errors import NotFound
from common.text import clean_text
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import Body, BusinessPath
from notifications.domain import own_words
from notifications.models import EmailTexts

api = APIBlueprint("email_texts", __name__, abp_tags=[Tag(name="Texts")], abp_security=[{"bearer": []}])

TextKind = Literal["receipt", "low_balance", "invoice", "reminder", "card_needs_client", "balance_due"]


def _blank_is_none(words: Any) -> Any:
    return None if isinstance(words, str) and not words.strip() else words


_Plain = Annotated[
    str, Field(max_length=own_words.LONGEST), AfterValidator(clean_text), AfterValidator(own_words.check)
]
OwnText = Annotated[_Plain | None, BeforeValidator(_blank_is_none)]


class TextsBody(Body):
    """Plain text. {client} and {business} stand for the names of the two."""

    intro: OwnText = Field(default=None, description="Comes before the facts; without it, nothing does")
    closing: OwnText = Field(default=None, description="Comes after the facts; without it, nothing does")


class TextsPath(BusinessPath):
    kind: str = Field(min_length=1, max_length=40)


class TextsAnswer(BaseModel):
    """The words of one kind of mail."""

    kind: TextKind
    intro: str | None
    closing: str | None


def _as_json(kind: str, texts: EmailTexts | None) -> dict[str, Any]:
    return {"kind": kind, "intro": texts.intro if texts else None, "closing": texts.closing if texts else None}


def _find(business_id: str, kind: str) -> EmailTexts | None:
    """The words of a kind. Raises NotFound for one that takes none, and for a business that is not there."""
    Directory(runtime(), session(), business_id).business()
    if kind not in own_words.TAKING:
        raise NotFound("not_found", "There is no such kind of mail, or it takes no words of one's own.")
    return session().get(EmailTexts, (business_id, kind))


@api.get(f"{B}/email-texts")
@endpoint("notifications:read")
def list_texts(path: BusinessPath) -> dict[str, Any]:
    """The business's own words, of each kind of mail that takes some"""
    caller().require_staff("mail")
    Directory(runtime(), session(), path.business_id).business()
    rows = session().scalars(select(EmailTexts).where(EmailTexts.business_id == path.business_id))
    held = {row.kind: row for row in rows}
    items = [_as_json(kind, held.get(kind)) for kind in own_words.TAKING]
    return {"items": items, "next_cursor": None}


@api.get(f"{B}/email-texts/<string:kind>", responses={200: TextsAnswer})
@endpoint("notifications:read")
def get_texts(path: TextsPath) -> dict[str, Any]:
    """The business's own words in one kind of mail"""
    caller().require_staff("mail")
    return _as_json(path.kind, _find(path.business_id, path.kind))


@api.put(f"{B}/email-texts/<string:kind>", responses={200: TextsAnswer})
@endpoint("notifications:write")
def put_texts(path: TextsPath, body: TextsBody) -> dict[str, Any]:
    """Set both words of one kind of mail; what is left out is taken away

    They are in mails that are sent from then on.
    """
    caller().require_staff("mail")
    _find(path.business_id, path.kind)
    words = body.model_dump()
    texts = session().merge(EmailTexts(business_id=path.business_id, kind=path.kind, **words))
    session().flush()
    return _as_json(path.kind, texts)
