"""What operators can do with gateway-stripe besides what every service has: `remit gateway-stripe do <name>`."""

import argparse
from collections.abc import Sequence

from sqlalchemy import select

from common import sealing
from common.runtime import Runtime
from gateway_stripe.models import Keys
from gateway_stripe.usecases.accounts import place

# Column → the field it is sealed for.
SEALED = {
    "secret_key": "secret_key",
    "webhook_secret": "webhook_secret",
    "previous_webhook_secret": "webhook_secret",
}


def rotate_seals(runtime: Runtime, arguments: Sequence[str]) -> int:
    """Seal every secret with the newest key of the key file; afterwards older keys may be taken out of it."""
    parser = argparse.ArgumentParser(prog="remit gateway-stripe do rotate-seals", description=rotate_seals.__doc__)
    parser.add_argument("--new-key", action="store_true", help="first add a key to the file, where it may be written")
    if parser.parse_args(arguments).new_key:
        sealing.add_key(runtime.settings.seal_key_file or runtime.settings.var_dir / "keys" / "seal.key.json")
    sealer = runtime.sealer
    sealer.read()
    changed = 0
    with runtime.database.write() as session:
        for keys in session.scalars(select(Keys).with_for_update()):
            for column, field in SEALED.items():
                sealed = getattr(keys, column)
                if sealed and not sealer.is_current(sealed):
                    where = place(keys.business_id, keys.mode, field)
                    setattr(keys, column, sealer.seal(sealer.open(sealed, where), where))
                    changed += 1
        session.flush()
    print(f"remit: {changed} secrets are sealed with the newest key")
    return 0


COMMANDS = {"rotate-seals": rotate_seals}
