"""Types that requests are made of: what is checked here need not be checked again."""

import re
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, model_validator

from common.clock import FIRST_DAY, LAST_DAY
from common.money import CURRENCIES, MAX_AMOUNT_MINOR, MAX_SUM_MINOR
from common.text import clean_line, clean_text

_EMAIL = re.compile(r"[^@\s,;<>\"()\[\]\\:]{1,64}@[A-Za-z0-9\u0080-\uffff](?:[\w.-]{0,250})\.[\w-]{2,63}")


def check_email(address: str) -> str:
    address = clean_line(address)
    if not _EMAIL.fullmatch(address) or ".." in address:
        raise ValueError("this is not an e-mail address")
    return address


def check_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError(f"'{code[:10]}' is not a currency that Remit knows; use a code such as USD")
    return code


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


AmountMinor = Annotated[StrictInt, Field(gt=0, le=MAX_AMOUNT_MINOR, description="Minor units, such as cents")]
# What amounts and balances are compared with: a number that a column of theirs can hold.
SumMinor = Annotated[int, Field(ge=-MAX_SUM_MINOR, le=MAX_SUM_MINOR, description="Minor units, such as cents")]
# Which one of several: the column is of 32 bits.
Ordinal = Annotated[int, Field(ge=1, le=2**31 - 1)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(clean_line), Field(min_length=1)]
OptionalLine = Annotated[
    Annotated[str, Field(max_length=200), AfterValidator(clean_line)] | None, BeforeValidator(_blank_is_none)
]
OptionalText = Annotated[
    Annotated[str, Field(max_length=2000), AfterValidator(clean_text)] | None, BeforeValidator(_blank_is_none)
]
Email = Annotated[str, Field(max_length=254), AfterValidator(check_email)]
OptionalEmail = Annotated[Email | None, BeforeValidator(_blank_is_none)]
Currency = Annotated[str, AfterValidator(check_currency), Field(examples=["USD"])]
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w-]+$")]


class Body(BaseModel):
    """A request body. A field that is not known is refused, so that a misspelt one is not lost; and so is a text with
    the character NUL, with which PostgreSQL fails."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _refuse_nul(self) -> Self:
        for name, value in self.__dict__.items():
            texts = value if isinstance(value, list) else [value]
            if any(isinstance(text, str) and "\0" in text for text in texts):
                raise ValueError(f"{name} holds the character NUL, which is no text")
        return self


class BusinessPath(BaseModel):
    business_id: Id


class Query(BaseModel):
    """A query string."""

    @classmethod
    @lru_cache(maxsize=256)
    def _cached_schema(cls) -> dict[str, Any]:
        return super().model_json_schema()

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # flask-openapi3 asks for this at every request; it never changes.
        return super().model_json_schema(*args, **kwargs) if args or kwargs else cls._cached_schema()


class PageQuery(Query):
    """What every list takes."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=500)
