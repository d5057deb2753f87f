"""What the rest of the product may ask of a document store.

The subset of pymongo's collection that both engines carry out alike (see the contract test in
tests/store). Anything outside it is a type error, so that one code path serves both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Document = dict[str, Any]
Filter = Mapping[str, Any]


class Cursor(Protocol):
    """The results of a find, in order."""

    def sort(self, key_or_list: Any, direction: Any = None) -> Cursor: ...
    def limit(self, limit: int, /) -> Cursor: ...
    def skip(self, skip: int, /) -> Cursor: ...
    def __iter__(self) -> Iterator[Document]: ...


class UpdateResult(Protocol):
    """What an update or a replace did."""

    @property
    def matched_count(self) -> int: ...
    @property
    def modified_count(self) -> int: ...


class DeleteResult(Protocol):
    """What a delete did."""

    @property
    def deleted_count(self) -> int: ...


class Collection(Protocol):
    """One collection. Operators in use: see tests/store/test_contract.py."""

    def insert_many(self, documents: Iterable[Any], ordered: bool = True) -> Any: ...
    def find(self, filter: Filter | None = None, projection: Any = None) -> Cursor: ...
    def find_one(self, filter: Filter | None = None, projection: Any = None) -> Document | None: ...
    def update_one(
        self, filter: Filter, update: Mapping[str, Any], upsert: bool = False
    ) -> UpdateResult: ...
    def update_many(self, filter: Filter, update: Mapping[str, Any]) -> UpdateResult: ...
    def replace_one(
        self, filter: Filter, replacement: Mapping[str, Any], upsert: bool = False
    ) -> UpdateResult: ...
    def find_one_and_update(
        self,
        filter: Filter,
        update: Mapping[str, Any],
        *,
        upsert: bool = False,
        return_document: bool = False,
    ) -> Document | None: ...
    def delete_many(self, filter: Filter) -> DeleteResult: ...
    def count_documents(self, filter: Filter) -> int: ...
    def distinct(self, key: str, filter: Filter | None = None) -> list[Any]: ...
    def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> Iterable[Document]: ...
    def create_index(self, keys: Any, **options: Any) -> Any: ...


class Database(Protocol):
    """A database: collections by name."""

    def __getitem__(self, name: str) -> Collection: ...
