"""A scheduler that is struck at a step: ``python -m tests.sync.dying STEP SIGNAL``."""

from __future__ import annotations

import os
import signal
import sys

from core.desk import Desk
from core.settings import Settings


def main(wanted: str, number: signal.Signals) -> None:
    """Sync what is due, and get the signal as the step is reached."""

    def on_step(step: str) -> None:
        if step == wanted:
            print(f"reached {step}", flush=True)
            os.kill(os.getpid(), number)

    done = Desk(Settings()).scheduler(on_step).run_once()
    print(f"ended {done}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], signal.Signals[sys.argv[2]])
