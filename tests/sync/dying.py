"""A scheduler that is struck at a step: ``python -m tests.sync.dying STEP kill|stall``.

``kill`` is SIGKILL by its own hand. ``stall`` waits there for a line on standard input, so that the
test can freeze and wake the process.
"""

from __future__ import annotations

import os
import signal
import sys

from core.desk import Desk
from core.settings import Settings


def main(wanted: str, how: str) -> None:
    """Sync what is due, and be struck as the step is reached."""

    def on_step(step: str) -> None:
        if step != wanted:
            return
        print(f"reached {step}", flush=True)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdin.readline()

    done = Desk(Settings()).scheduler(on_step).run_once()
    print(f"ended {done}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
