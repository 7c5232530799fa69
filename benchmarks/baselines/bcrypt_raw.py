"""``bcrypt_raw CHECKS COST``: runs bcrypt checks on one thread for each core; prints the seconds."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import bcrypt


def _main(checks: int, cost: int) -> None:
    password = b"0" * 64
    hashed = bcrypt.hashpw(password, bcrypt.gensalt(cost))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        began = time.perf_counter()
        list(pool.map(lambda _: bcrypt.checkpw(password, hashed), range(checks)))
        print(time.perf_counter() - began)


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
