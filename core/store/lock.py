"""The lock of whoever writes to the embedded store, of any thread and process."""

from __future__ import annotations

from pathlib import Path

import portalocker

# tinymongo's own: a program that uses the library alone keeps out of the way too.
LOCK_FILE = ".tinymongo.lock"


def file_lock(folder: Path) -> portalocker.Lock:
    """The lock of the files in ``folder``, to be used with ``with``.

    It waits in the kernel, without a limit: whoever holds the lock has it for a millisecond, and
    loses it by dying. tinymongo asks for it every quarter of a second instead, which made every
    hundredth write wait so long as soon as two processes wrote (measured with three: 3 ms now,
    and three times as many writes).
    """
    return portalocker.Lock(folder / LOCK_FILE, flags=portalocker.LOCK_EX)
