"""How a place in an answer is written: ``customers[0].name``, ``["a.b"].name``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

# A key that needs no brackets: no . [ ] : or quote in it, no space at an end, no control
# characters or line separators, and not empty.
_SPECIAL = r".\[\]:\"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_PLAIN_KEY = re.compile(rf"[^\s{_SPECIAL}](?:[^{_SPECIAL}]*[^\s{_SPECIAL}])?")


def path_to(keys: Sequence[str | int]) -> str:
    """The path that leads through members of objects, by name, and elements, by number."""
    path = ""
    for key in keys:
        path += f"[{key}]" if isinstance(key, int) else key_step(key, first=not path)
    return path


def key_step(key: str, *, first: bool) -> str:
    """What a member's name adds to a path; in brackets when it would be read differently."""
    if _PLAIN_KEY.fullmatch(key):
        return key if first else f".{key}"
    quoted = json.dumps(key, ensure_ascii=False)
    return f"[{_escape(quoted)}]"


def _escape(quoted: str) -> str:
    # json.dumps leaves these as they are; a line or a terminal would not survive them.
    return re.sub(
        "[\x7f-\x9f\u2028\u2029\ud800-\udfff]", lambda hit: f"\\u{ord(hit[0]):04x}", quoted
    )
