"""The portal's screens: parse, ask, show. One blueprint per subject."""

from collections.abc import Sequence

from flask import Blueprint


def blueprints() -> Sequence[Blueprint]:
    from portal.screens import assist, home, pay_link, paypal, signing_in  # noqa: PLC0415 - built when the app is

    return [signing_in.screens, home.screens, assist.screens, pay_link.screens, paypal.screens]
