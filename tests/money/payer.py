"""A second accountant: `python -m tests.money.payer URL NAME COUNT` pays COUNT invoices in full.

Waits for the file NAME.go beside the socket of the test, so that two begin together.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from billing.refusal import Refused
from billing.store import Conflict
from tests.money.office import Office


def main(url: str, name: str, count: int, go: Path) -> None:
    with Office(url) as office:
        print("ready", flush=True)
        while not go.exists():
            time.sleep(0.005)
        done = 0
        for rank in range(count):
            number = f"F-{rank}"
            try:
                office.pays(
                    "100.00", "02-01", reference=f"{name}-{rank}", amounts={number: "100.00"}
                )
                done += 1
            except (Refused, Conflict) as refused:
                if "nothing is owed" not in str(refused):
                    raise
    print(done, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
