"""Stripe's keys by their shape, pure: which field a key belongs in, and what is wrong with one."""

FIELDS = ("test_publishable_key", "test_secret_key", "live_publishable_key", "live_secret_key")
_PREFIXES = {
    "pk_test_": "test_publishable_key",
    "sk_test_": "test_secret_key",
    "rk_test_": "test_secret_key",
    "pk_live_": "live_publishable_key",
    "sk_live_": "live_secret_key",
    "rk_live_": "live_secret_key",
}
SHORTEST, LONGEST = 12, 255


def field_of(key: str) -> str | None:
    """The field that a key belongs in, by its prefix; None for what is no key of those."""
    return next((field for prefix, field in _PREFIXES.items() if key.startswith(prefix)), None)


def problem(field: str, key: str) -> str | None:
    """What is wrong with `key` in `field`, in words that say what to do; None when its shape is right."""
    right = field_of(key)
    wrong = {
        "a key has no blanks or line breaks; copy it again": any(character.isspace() for character in key),
        "this is an organisation's key; use a key of the account itself, best a restricted one": key.startswith(
            "sk_org"
        ),
        "this is a webhook's secret, which is not needed here; use an API key": key.startswith("whsec_"),
        "this is no Stripe API key; find yours in Stripe's Dashboard under Developers, API keys": right is None,
        f"this key belongs in the field {right}": right != field,
        "this key is not whole; copy it again": not (SHORTEST <= len(key) <= LONGEST and key.isascii()),
    }
    return next((words for words, applies in wrong.items() if applies), None)


def shown(key: str) -> str:
    """The end of a key, enough to tell it from others."""
    return f"…{key[-4:]}"
