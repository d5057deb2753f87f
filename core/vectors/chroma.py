"""Opening Chroma: a server's, or a folder that belongs to this process alone.

Chroma's files are for one process. Each process of a machine takes the first folder that no living
one holds (a lock says so), and finds there what the one before it has left.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.vectors.exact import is_too_large

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

# Chroma's index is asked of those collections alone that are too large to be searched exactly (see
# exact.py), and building it is most of the work of a mirror (30,000 vectors: 54 s of processor time
# like this). For all others it is made as cheaply as Chroma can (17 s, nearly all for its tables).
_ASKED: Any = {"space": "cosine", "max_neighbors": 32, "ef_construction": 200, "ef_search": 500}
_NEVER_ASKED: Any = {"space": "cosine", "max_neighbors": 4, "ef_construction": 10}
# Of an index in Chroma's folder: what says that its vectors are on disk, and the files with room.
_WRITTEN = "index_metadata.pickle"
_ROOM = ("length.bin", "data_level0.bin")


class Chroma:
    """This process's Chroma. Not safe for threads: who uses it has a lock."""

    def __init__(self, data_dir: Path, url: str | None) -> None:
        self._data_dir = data_dir
        self._url = url
        self._client: ClientAPI | None = None
        self._slot: Path | None = None
        self._slot_lock: IO[str] | None = None
        self._folder: Path | None = None
        self._wiped: dict[Path, int] = {}

    @property
    def is_a_server(self) -> bool:
        """Whether it is shared with other processes, and not ours to throw away."""
        return bool(self._url)

    def open(self) -> ClientAPI:
        """A client; the same as long as the folder is there."""
        if self._folder is not None and not self._folder.exists():
            self._client = None
        if self._client is None:
            self._client = self._connect()
        return self._client

    def collection(self, name: str, documents: int) -> Collection:
        """The collection, with an index that can be asked if it is to hold too many documents.

        One that has grown so large is made anew, and empty.
        """
        client = self.open()
        is_asked = is_too_large(documents)
        hnsw = _ASKED if is_asked else _NEVER_ASKED
        open_or_create = partial(
            client.get_or_create_collection,
            name,
            embedding_function=None,
            configuration={"hnsw": hnsw},
        )
        collection = open_or_create()
        made_with = collection.configuration_json.get("hnsw") or {}
        if is_asked and (made_with.get("max_neighbors") or 0) < _ASKED["max_neighbors"]:
            client.delete_collection(name)
            collection = open_or_create()
        return collection

    def start_anew(self) -> None:
        """Leave the present folder for an empty one."""
        self._client = None
        if self._slot is None or not self._slot.exists():
            self._slot = self._take_slot()
        self._wiped.clear()
        broken = [path for path in self._slot.iterdir() if path.is_dir()]
        self._folder = self._new_folder()
        for path in broken:
            with contextlib.suppress(OSError):
                shutil.rmtree(path)

    def wipe(self) -> None:
        """Overwrite what a new index has put on disk of this process's memory; after each change.

        hnswlib writes the room for its first 100 vectors as it found it, with whatever this process
        held there before, personal data among it. Chroma never reads these files again: it makes
        them anew until 1,000 vectors are written, which replaces them (and has no such room).
        """
        if self._folder is None:
            return
        for index in self._folder.iterdir():
            if not index.is_dir() or (index / _WRITTEN).exists():
                continue
            for path in (index / name for name in _ROOM):
                with contextlib.suppress(FileNotFoundError):
                    about = path.stat()
                    if self._wiped.get(path) == about.st_mtime_ns:
                        continue
                    with path.open("r+b") as file:
                        file.write(bytes(about.st_size))
                    self._wiped[path] = path.stat().st_mtime_ns

    def close(self) -> None:
        """Give the folder back, for the next process."""
        self._client = None
        if self._slot_lock is not None:
            self._slot_lock.close()
            self._slot_lock = None

    def _connect(self) -> ClientAPI:
        import chromadb
        from chromadb.config import Settings as ChromaSettings

        quiet = ChromaSettings(anonymized_telemetry=False)
        if self._url:
            url = urlsplit(self._url)
            return chromadb.HttpClient(
                host=url.hostname or "localhost",
                port=url.port or 8000,
                ssl=url.scheme == "https",
                settings=quiet,
            )
        if self._slot is None or not self._slot.exists():
            self._slot = self._take_slot()
        folders = sorted(path for path in self._slot.iterdir() if path.is_dir())
        self._folder = folders[-1] if folders else self._new_folder()
        return chromadb.PersistentClient(path=str(self._folder), settings=quiet)

    def _take_slot(self) -> Path:
        """A folder of our own: the first that no living process of this machine holds."""
        root = self._data_dir / "mirror"
        number = 0
        while True:
            slot = root / f"process-{number}"
            slot.mkdir(parents=True, exist_ok=True)
            lock = (slot / "lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                number += 1
            else:
                self._slot_lock = lock
                return slot

    def _new_folder(self) -> Path:
        assert self._slot is not None
        taken = [int(path.name) for path in self._slot.iterdir() if path.name.isdigit()]
        folder = self._slot / f"{max([0, *taken, *self._used()]) + 1:06d}"
        folder.mkdir()
        return folder

    def _used(self) -> list[int]:
        # Chroma keeps a client per path for the life of the process: never the same path twice.
        return [int(self._folder.name)] if self._folder is not None else []
