"""The document store: MongoDB, or an embedded engine with the same interface."""

from core.store.insert import insert
from core.store.interface import Collection, Database, Document
from core.store.open import open_store

__all__ = ["Collection", "Database", "Document", "insert", "open_store"]
