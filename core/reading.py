"""Reading the text of kept syncs: line by line, by record, searched, chunked, compared.

Texts of 100,000 lines are read and put in order once per process and then served from memory, so
that turning a page or typing into the filter costs nothing noticeable.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import NotFound
from core.leases import Leases
from core.models import Record
from core.store import Document
from core.text.changes import Changes, describe_changes, record_name
from core.text.redact import MARK
from core.vectors.contents import Contents
from core.vectors.embed import Embedder
from core.vectors.part import Entry

# Together; the text that was read last always stays.
CACHED_LINES = 500_000


@dataclass(frozen=True)
class Line:
    """A line of a text: its number from 1, its record's number, and whether it was redacted."""

    number: int
    record: int
    text: str
    is_redacted: bool


@dataclass(frozen=True)
class ChunkView:
    """A chunk of a record, as it is stored: its text and how many tokens the model reads."""

    number: int
    of: int
    text: str
    tokens: int


class KeptText:
    """The text of one kept sync."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        total = sum(len(entry.record.lines) for entry in entries)
        self._texts = [""] * total
        self._owners = [0] * total
        for number, entry in enumerate(entries):
            record = entry.record
            own = record.positioned("\n".join(record.lines)).split("\n")
            taken = 0
            for first, count in record.at:
                self._texts[first : first + count] = own[taken : taken + count]
                self._owners[first : first + count] = [number] * count
                taken += count

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def lines(self) -> list[str]:
        """All lines, in document order."""
        return self._texts

    def find(
        self, needle: str = "", record: int | None = None, *, redacted: bool = False
    ) -> list[int]:
        """The indexes of the lines that hold ``needle``, in any case; of one record if given."""
        wanted = needle.casefold()
        if not wanted and record is None and not redacted:
            return list(range(len(self._texts)))
        return [
            index
            for index, text in enumerate(self._texts)
            if (record is None or self._owners[index] == record)
            and (not wanted or wanted in text.casefold())
            and (not redacted or MARK.search(text))
        ]

    def line(self, index: int) -> Line:
        """One line."""
        text = self._texts[index]
        return Line(index + 1, self._owners[index], text, bool(MARK.search(text)))

    def record(self, number: int) -> Record:
        """A record by its number. Raises NotFound."""
        if not 0 <= number < len(self.entries):
            raise NotFound("There is no such record in this sync.", action="Choose another one.")
        return self.entries[number].record

    def find_records(self, needle: str, limit: int) -> list[tuple[int, str]]:
        """Records whose name or key holds ``needle``: number and name."""
        wanted = needle.casefold()
        found: list[tuple[int, str]] = []
        for number, entry in enumerate(self.entries):
            name = f"{entry.record.path} · {record_name(entry.record)}"
            if wanted in name.casefold():
                found.append((number, name))
                if len(found) >= limit:
                    break
        return found


class TextReader:
    """Reads the texts of all links' kept syncs."""

    def __init__(self, leases: Leases, contents: Contents, embedder: Embedder) -> None:
        self._leases = leases
        self._contents = contents
        self._embedder = embedder
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, int], KeptText] = OrderedDict()

    def kept(self, link_id: str) -> list[Document]:
        """The kept syncs of a link, newest first; none before its first sync."""
        live = self._live(link_id)
        kept = self._contents.kept(link_id, live) if live else []
        if live and not any(one["generation"] == live for one in kept):
            # Synced by a version that kept no list.
            kept = [{"generation": live, "at": None, "run_id": None}, *kept]
        return kept

    def text(self, link_id: str, generation: int | None = None) -> KeptText:
        """The text of a kept sync; of the live one without ``generation``. Raises NotFound."""
        wanted = generation or self._live(link_id)
        key = (link_id, wanted)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        entries = list(self._contents.read(link_id, wanted)) if wanted else []
        if not entries:
            raise NotFound(
                "The text of this sync is not kept any more.", action="Choose a newer one."
            )
        text = KeptText(entries)
        with self._lock:
            self._cache[key] = text
            while len(self._cache) > 1 and sum(map(len, self._cache.values())) > CACHED_LINES:
                self._cache.popitem(last=False)
        return text

    def raw(self, link_id: str, generation: int, number: int) -> str:
        """The JSON of a record, indented; empty for plain text. Raises NotFound."""
        for index, entry in enumerate(self._contents.read(link_id, generation, with_raw=True)):
            if index == number:
                return _indented(entry.record.raw)
        raise NotFound("There is no such record in this sync.", action="Choose another one.")

    def chunks(self, entry: Entry) -> list[ChunkView]:
        """The chunks of a record, with today's positions."""
        tokens = self._embedder.count_tokens([text for _, text in entry.chunks])
        return [
            ChunkView(number, len(entry.chunks), entry.record.positioned(text), count)
            for number, ((_, text), count) in enumerate(
                zip(entry.chunks, tokens, strict=True), start=1
            )
        ]

    def compare(self, link_id: str, older: int, newer: int, *, limit: int = 5000) -> Changes:
        """What changed from one kept sync to another, path by path. Raises NotFound."""
        before = {e.record.key: e.record for e in self.text(link_id, older).entries}
        after = [entry.record for entry in self.text(link_id, newer).entries]
        return describe_changes(before, after, limit=limit)

    def _live(self, link_id: str) -> int:
        state = self._leases.states([link_id]).get(link_id)
        return int(state["live_generation"]) if state else 0


def _indented(raw: str) -> str:
    """The JSON on many lines; digits and repeated keys as they were sent."""
    if not raw:
        return ""
    pieces: list[str] = []
    depth = 0
    at = 0
    while at < len(raw):
        char = raw[at]
        if char == '"':
            end = at + 1
            while raw[end] != '"':
                end += 2 if raw[end] == "\\" else 1
            pieces.append(raw[at : end + 1])
            at = end + 1
            continue
        if char in "{[":
            if raw[at + 1] in "}]":
                pieces.append(raw[at : at + 2])
                at += 2
                continue
            depth += 1
            pieces.append(char + "\n" + "  " * depth)
        elif char in "}]":
            depth -= 1
            pieces.append("\n" + "  " * depth + char)
        elif char == ",":
            pieces.append(",\n" + "  " * depth)
        else:
            pieces.append(": " if char == ":" else char)
        at += 1
    return "".join(pieces)
