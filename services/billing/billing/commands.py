"""What operators can do with billing besides what every service has: `remit billing do <name>`."""

import argparse
from collections.abc import Sequence

from billing.usecases import proof
from common.runtime import Runtime


def prove(runtime: Runtime, arguments: Sequence[str]) -> int:
    """Prove the books of every business, or of one; exit status 1 when something does not agree, 2 when payments could
    not be asked."""
    parser = argparse.ArgumentParser(prog="remit billing do prove", description=prove.__doc__)
    parser.add_argument("--business", help="only this one")
    chosen = parser.parse_args(arguments).business
    with runtime.database.read() as session:
        ids = [chosen] if chosen else proof.businesses(session)
    status = 0
    for business_id in ids:
        found = proof.prove(runtime, business_id)
        print(f"business {business_id}: {'drift' if found.drift else 'clean'}")
        for name, sentences in found.findings.items():
            print(f"  {'DRIFT' if sentences else 'ok':<5}  {name}")
            print("".join(f"           {sentence}\n" for sentence in sentences), end="")
        if found.not_compared is not None:
            print(f"  ?      {proof.AGAINST_PAYMENTS}: not compared, {found.not_compared}")
            status = status or 2
        if found.drift:
            status = 1
    print(f"remit: businesses proved: {len(ids)}")
    return status


COMMANDS = {"prove": prove}
