"""Opening the document store and its indexes."""

from __future__ import annotations

from typing import Any, cast

from core.settings import Settings
from core.store.interface import Database

# Only strings and plain numbers are indexed: the embedded engine builds its date indexes lazily,
# holding the write lock while it does.
INDEXES: dict[str, tuple[str, ...]] = {
    "companies": ("company_id",),
    "vector_documents": ("link_id", "text_hash"),
    "link_contents": ("link_id",),
    "kept_syncs": ("link_id",),
    "link_states": ("page_id", "company_id", "due_at", "planned_at", "channels_pending"),
    "sync_runs": ("link_id", "page_id", "state", "queued_at"),
    "run_changes": ("link_id",),
    "alerts": ("due_at",),
    "sessions": ("username", "expires_at"),
    "accounts": ("company_id",),
    "tokens": ("company_id",),
    "login_failures": ("at",),
    "audit_log": ("at",),
    "link_trials": ("state",),
    "saved_questions": ("page_id",),
    "replies": ("page_id", "at"),
    "bot_messages": ("page_id", "conversation_id", "state", "at"),
    "conversations": ("page_id",),
    "sync_days": ("company_id",),
    "webhook_events": ("link_id", "state", "at"),
    "webhook_records": ("link_id",),
    "uploads": ("company_id", "at"),
    "upload_parts": ("upload_id",),
}


def open_store(settings: Settings) -> Database:
    """The database named by the settings, with its indexes in place.

    MongoDB when ``MONGODB_URI`` is set, else SQLite files in ``DATA_DIR/store``, which any number
    of processes of this machine share. Datetimes come back aware, in UTC, from both.
    """
    database = _mongodb(settings) if settings.mongodb_uri else _embedded(settings)
    ensure_indexes(database)
    return database


def ensure_indexes(database: Database) -> None:
    """Create the indexes that the product's queries rely on."""
    for collection, fields in INDEXES.items():
        for field in fields:
            database[collection].create_index(field)


def _mongodb(settings: Settings) -> Database:
    import pymongo

    assert settings.mongodb_uri is not None
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        settings.mongodb_uri.get_secret_value(),
        tz_aware=True,
        serverSelectionTimeoutMS=5000,
        appname="crm-desk",
    )
    return cast(Database, client[settings.mongodb_database])


def _embedded(settings: Settings) -> Database:
    import tinymongo

    from core.store.engine import EmbeddedEngine

    folder = settings.data_dir / "store"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    client = tinymongo.MongoClient(tinymongo_folder=str(folder), backend="sqlite", tz_aware=True)
    database = client[settings.mongodb_database]
    database.engine = EmbeddedEngine(database.engine.path, database=settings.mongodb_database)
    return cast(Database, database)
