"""Where a team's program exchanges its secret for a token: RFC 6749, client credentials. For programs, so no page."""

import base64
import binascii
from urllib.parse import unquote_plus

from flask import Blueprint, jsonify, request
from werkzeug import Response

from common.context import confined
from portal import edge
from portal.edge import runtime, screen
from portal.usecases import team_keys, throttle
from portal.usecases.team_keys import NoSuchKey, WrongScope

screens = Blueprint("token_exchange", __name__)

FIELDS = ("grant_type", "scope", "client_id", "client_secret")
WAIT_SECONDS = 15 * 60


class _Refused(Exception):
    """`error` is one of RFC 6749, section 5.2."""

    def __init__(self, error: str, words: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.words, self.status = error, words, status


@screens.post("/oauth/token")
@edge.for_programs
@screen()
def exchange() -> Response:
    try:
        token = _exchange()
    except _Refused as refused:
        return _refusal(refused)
    answer = jsonify(
        access_token=token.token, token_type="Bearer", expires_in=token.seconds, scope=token.scope  # noqa: S106
    )  # fmt: skip
    answer.headers["Cache-Control"], answer.headers["Pragma"] = "no-store", "no-cache"
    return answer


def _exchange() -> team_keys.Token:
    if any(len(request.form.getlist(name)) > 1 for name in FIELDS):
        raise _Refused("invalid_request", "A field was sent more than once.")
    key_id, secret = _credentials()
    if "\0" in key_id:  # the database fails where such a text is compared
        raise _Refused("invalid_request", "The client id holds the character NUL.")
    grant = request.form.get("grant_type", "")
    if not grant:
        raise _Refused("invalid_request", "Send grant_type=client_credentials, as a form.")
    if grant != "client_credentials":
        raise _Refused("unsupported_grant_type", "Only client_credentials is exchanged here.")
    address, database = (request.remote_addr or "?")[:64], runtime().database
    try:
        with database.write() as session:
            throttle.note_key(session, key_id, address)
    except throttle.TooMany as many:
        raise _Refused("invalid_client", many.detail, 429) from None
    try:
        with confined(team_keys.business_of(database, key_id)), database.write() as session:
            token = team_keys.exchange(session, runtime().signer, key_id, secret, request.form.get("scope", ""))
            throttle.forgive(session, throttle.key_of(key_id), address)
    except NoSuchKey:
        words = "The client id or the secret is not right, or the token was taken back or has expired."
        raise _Refused("invalid_client", words, 401) from None
    except WrongScope as wrong:
        raise _Refused("invalid_scope", str(wrong)) from None
    return token


def _credentials() -> tuple[str, str]:
    """(client id, secret) of the Authorization header, or else of the form; of one of them only."""
    header = request.headers.get("Authorization", "")
    in_form = request.form.get("client_id", ""), request.form.get("client_secret", "")
    if not header:
        if not all(in_form):
            raise _Refused("invalid_client", "Send the client id and the secret, by HTTP Basic or in the form.", 401)
        return in_form
    if in_form[1]:
        raise _Refused("invalid_request", "Send the secret by HTTP Basic or in the form, not both.")
    scheme, _, encoded = header.partition(" ")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    key_id, colon, secret = pair.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _Refused("invalid_client", "The Authorization header is not HTTP Basic.", 401)
    return unquote_plus(key_id), unquote_plus(secret)


def _refusal(refused: _Refused) -> Response:
    answer = jsonify(error=refused.error, error_description=refused.words)
    answer.status_code = refused.status
    answer.headers["Cache-Control"], answer.headers["Pragma"] = "no-store", "no-cache"
    if refused.status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="Remit", charset="UTF-8"'
    if refused.status == 429:
        answer.headers["Retry-After"] = str(WAIT_SECONDS)
    return answer
