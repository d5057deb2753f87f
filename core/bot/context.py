"""What a model is given of the records: data, marked as such, and bounded.

Records are written by customers too. So that none of them can pass for an instruction, each
stands between marks with a random name that the text can't know, without characters that can't be
seen, and cut to a size (see OWASP's LLM01, prompt injection).
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from core.retrieval.retrieve import Hit

MAX_RECORD = 4000
MAX_CONTEXT = 16_000
"""In characters."""

# Whatever a reader would not see: controls but the line break, zero-width and direction characters,
# tags (which some models read), variation selectors, private use.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ue000-\uf8ff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff\ud800-\udfff]"
)


@dataclass(frozen=True)
class Context:
    """The delimited text, what its marks are called, and the hits that are in it, by number."""

    text: str
    mark: str
    hits: dict[int, Hit]


def clean(text: str) -> str:
    """``text`` without characters that can't be seen; a tab becomes a space."""
    return _UNSEEN.sub("", unicodedata.normalize("NFC", text.replace("\t", " ")))


def delimit(hits: Iterable[Hit]) -> Context:
    """The hits as numbered, marked records, best first, as many as fit."""
    mark = f"record-{secrets.token_hex(6)}"
    parts: list[str] = []
    inside: dict[int, Hit] = {}
    left = MAX_CONTEXT
    for number, hit in enumerate(hits, start=1):
        text = clean(hit.text)[:MAX_RECORD]
        part = f'<{mark} number="{number}">\n{text}\n</{mark}>'
        if len(part) > left:
            break
        left -= len(part)
        parts.append(part)
        inside[number] = hit
    return Context("\n".join(parts), mark, inside)
