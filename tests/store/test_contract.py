"""Every store operation that the product uses, on each engine: values and types alike.

The embedded engine, mongomock, and a real server when ``TEST_MONGODB_URI`` names one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from bson import ObjectId
from bson.binary import Binary, BinaryVectorDtype
from pymongo.errors import BulkWriteError, DuplicateKeyError

from core.settings import Settings
from core.store import Collection, Database, insert, open_store
from core.store.open import ensure_indexes
from core.vectors.documents import vector_of

SERVER = os.environ.get("TEST_MONGODB_URI")
ENGINES = ["embedded", "mongomock", *(["server"] if SERVER else [])]


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    name = f"test_{secrets.token_hex(6)}"
    if request.param == "embedded":
        yield open_store(Settings(data_dir=tmp_path, mongodb_database=name))
    elif request.param == "mongomock":
        import mongomock

        mock = mongomock.MongoClient(tz_aware=True)[name]
        ensure_indexes(cast(Database, mock))
        yield cast(Database, mock)
    else:
        import pymongo

        yield open_store(Settings(mongodb_uri=SERVER, mongodb_database=name))
        pymongo.MongoClient(SERVER).drop_database(name)


@pytest.fixture
def things(database: Database) -> Collection:
    return database["things"]


def ids(found: Any) -> list[Any]:
    return [document["_id"] for document in found]


def test_types_survive_exactly(things: Collection) -> None:
    vector = np.asarray([0.1, -2.5, 3e-8], dtype=np.float32)
    document = {
        "_id": "a",
        "text": "Grüße\u2028 \U0001f600",
        "number": 2**53,
        "fraction": 0.1,
        "yes": True,
        "nothing": None,
        "when": datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC),
        "oid": ObjectId(),
        "bytes": b"\x00\xff",
        "vector": Binary.from_vector(vector.tolist(), BinaryVectorDtype.FLOAT32),
        "nested": {"with.dot": [1, {"b": [None, True]}]},
    }
    insert(things, document)
    found = things.find_one({"_id": "a"})
    assert found is not None
    assert np.array_equal(vector_of(found.pop("vector")), vector)
    document.pop("vector")
    assert found == document
    assert found["when"].tzinfo is not None
    assert {name: type(value) for name, value in found.items() if name != "when"} == {
        name: type(value) for name, value in document.items() if name != "when"
    }


def test_an_id_is_taken_once(things: Collection) -> None:
    insert(things, {"_id": 1})
    with pytest.raises(DuplicateKeyError):
        insert(things, {"_id": 1})
    assert things.count_documents({}) == 1


def test_of_several_at_once_those_whose_id_is_taken_are_named(things: Collection) -> None:
    insert(things, {"_id": "b", "n": 0})
    several = [{"_id": name, "n": n} for n, name in enumerate(["a", "b", "c", "a"])]
    with pytest.raises(BulkWriteError) as refused:
        things.insert_many(several, ordered=False)
    failures = refused.value.details["writeErrors"]
    assert [(failure["index"], failure["code"]) for failure in failures] == [(1, 11000), (3, 11000)]
    stored = list(things.find({}).sort("_id", 1))
    assert stored == [{"_id": "a", "n": 0}, {"_id": "b", "n": 0}, {"_id": "c", "n": 2}]


def test_several_ids_with_other_conditions(things: Collection) -> None:
    things.insert_many([{"_id": f"{n}", "n": n, "kind": n % 2} for n in range(6)])
    wanted = {"_id": {"$in": ["1", "2", "3", "3", "none"]}}
    assert sorted(ids(things.find(wanted))) == ["1", "2", "3"]
    assert sorted(ids(things.find(wanted | {"kind": 1}))) == ["1", "3"]
    assert ids(things.find(wanted).sort("n", -1).limit(2)) == ["3", "2"]
    assert list(things.find(wanted | {"kind": 0}, {"n": 1, "_id": 0})) == [{"n": 2}]
    assert things.count_documents(wanted | {"n": {"$gt": 1}}) == 2
    assert things.find_one({"_id": {"$in": []}}) is None
    assert things.update_many(wanted | {"kind": 1}, {"$set": {"n": 9}}).modified_count == 2
    assert things.delete_many(wanted | {"kind": 1}).deleted_count == 2
    assert sorted(ids(things.find({}))) == ["0", "2", "4", "5"]


def test_filters_select(things: Collection) -> None:
    things.insert_many(
        [
            {"_id": n, "n": n, "kind": "even" if n % 2 == 0 else "odd", "in": {"n": n}}
            for n in range(10)
        ]
    )
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({"kind": "odd"}, [1, 3, 5, 7, 9]),
        ({"n": {"$gt": 6}}, [7, 8, 9]),
        ({"n": {"$gte": 3, "$lt": 5}}, [3, 4]),
        ({"n": {"$lte": 1}}, [0, 1]),
        ({"_id": {"$in": [2, 5, 99]}}, [2, 5]),
        ({"kind": "odd", "_id": {"$nin": [1, 3]}}, [5, 7, 9]),
        ({"n": {"$ne": 4}, "kind": "even"}, [0, 2, 6, 8]),
        ({"$or": [{"n": 1}, {"in.n": 8}]}, [1, 8]),
        ({"missing": None, "n": 2}, [2]),
    ]
    for query, expected in cases:
        assert sorted(ids(things.find(query))) == expected, query
        assert things.count_documents(query) == len(expected), query


def test_elements_of_arrays_match(things: Collection) -> None:
    insert(things, {"_id": 1, "channels": ["facebook"], "pages": [{"id": "p", "on": True}]})
    insert(things, {"_id": 2, "channels": [], "pages": [{"id": "q", "on": True}]})
    assert ids(things.find({"channels": "facebook"})) == [1]
    assert ids(things.find({"channels": []})) == [2]
    query = {"pages": {"$elemMatch": {"id": "q", "on": True}}}
    assert ids(things.find(query)) == [2]


def test_order_limit_skip_and_projection(things: Collection) -> None:
    things.insert_many([{"_id": n, "a": n % 3, "b": {"c": n}, "d": "x"} for n in range(9)])
    newest = things.find({}, {"a": 1}).sort("_id", -1).limit(2)
    assert list(newest) == [{"_id": 8, "a": 2}, {"_id": 7, "a": 1}]
    assert ids(things.find({}).sort("_id", 1).skip(7)) == [7, 8]
    assert things.find_one({"_id": 3}, {"a": 1, "_id": 0}) == {"a": 0}
    assert things.find_one({"_id": 99}) is None


def test_updates_change_what_they_name_and_nothing_else(things: Collection) -> None:
    insert(things, {"_id": 1, "n": 1, "gone": "x", "keep": "y", "in": {"a": 1}})
    result = things.update_one(
        {"_id": 1},
        {"$set": {"in.b": 2}, "$inc": {"n": 5}, "$unset": {"gone": ""}, "$push": {"list": "a"}},
    )
    assert result.matched_count == 1
    assert things.find_one({"_id": 1}) == {
        "_id": 1, "n": 6, "keep": "y", "in": {"a": 1, "b": 2}, "list": ["a"],
    }  # fmt: skip
    assert things.update_one({"_id": 2}, {"$set": {"n": 1}}).matched_count == 0
    assert things.count_documents({}) == 1


def test_an_upsert_inserts_what_the_filter_and_the_update_say(things: Collection) -> None:
    things.update_one({"_id": "a"}, {"$set": {"n": 1}}, upsert=True)
    things.update_one({"_id": "a"}, {"$set": {"n": 2}}, upsert=True)
    things.replace_one({"_id": "b"}, {"_id": "b", "n": 3}, upsert=True)
    assert list(things.find({}).sort("_id", 1)) == [{"_id": "a", "n": 2}, {"_id": "b", "n": 3}]


def test_counters_grow_from_nothing(things: Collection) -> None:
    for amount in (1, 2.5):
        things.update_one({"_id": "c"}, {"$inc": {"runs.failed": amount, "all": 1}}, upsert=True)
    assert things.find_one({"_id": "c"}) == {"_id": "c", "runs": {"failed": 3.5}, "all": 2}


def test_a_nested_field_is_compared_and_nothing_when_it_is_not_there(things: Collection) -> None:
    insert(things, {"_id": 1, "last_error": {"kind": "shrink"}})
    insert(things, {"_id": 2, "last_error": None})
    query = {"last_error.kind": "shrink"}
    assert things.update_many(query, {"$set": {"last_error": None}}).matched_count == 1
    assert things.count_documents({"last_error": None}) == 2


def test_a_push_keeps_the_newest(things: Collection) -> None:
    insert(things, {"_id": 1, "lines": []})
    for number in range(6):
        push = {"lines": {"$each": [{"n": number}], "$slice": -3}}
        things.update_one({"_id": 1}, {"$push": push})
    assert things.find_one({"_id": 1}) == {"_id": 1, "lines": [{"n": 3}, {"n": 4}, {"n": 5}]}


def test_update_many_and_delete_many_count(things: Collection) -> None:
    things.insert_many([{"_id": n, "n": n} for n in range(5)])
    assert things.update_many({"n": {"$lt": 2}}, {"$set": {"m": 1}}).matched_count == 2
    assert things.delete_many({"m": 1}).deleted_count == 2
    assert things.delete_many({"m": 1}).deleted_count == 0
    assert sorted(ids(things.find({}))) == [2, 3, 4]


def test_a_replacement_only_meets_the_revision_that_was_read(things: Collection) -> None:
    insert(things, {"_id": 1, "rev": 1, "a": 1})
    assert things.replace_one({"_id": 1, "rev": 1}, {"_id": 1, "rev": 2}).matched_count == 1
    assert things.replace_one({"_id": 1, "rev": 1}, {"_id": 1, "rev": 9}).matched_count == 0
    assert things.find_one({"_id": 1}) == {"_id": 1, "rev": 2}


def test_find_one_and_update_claims_once(things: Collection) -> None:
    insert(things, {"_id": 1, "until": 0.0, "fence": 4})
    claim = {"$set": {"until": 10.0}, "$inc": {"fence": 1}}
    query = {"_id": 1, "until": {"$lte": 5.0}}
    found = things.find_one_and_update(query, claim, return_document=True)
    assert found == {"_id": 1, "until": 10.0, "fence": 5}
    assert things.find_one_and_update(query, claim, return_document=True) is None


def test_find_one_and_update_makes_what_is_not_there(things: Collection) -> None:
    for number in (1, 2):
        found = things.find_one_and_update(
            {"_id": "a"}, {"$inc": {"n": 1}}, upsert=True, return_document=True
        )
        assert found == {"_id": "a", "n": number}
    assert things.count_documents({}) == 1


def test_distinct_and_groups(things: Collection) -> None:
    things.insert_many([{"_id": n, "k": "ab"[n % 2], "n": n} for n in range(5)])
    assert sorted(things.distinct("k")) == ["a", "b"]
    assert things.distinct("k", {"n": 1}) == ["b"]
    groups = things.aggregate(
        [
            {"$match": {"n": {"$gte": 1}}},
            {"$group": {"_id": "$k", "count": {"$sum": 1}, "sum": {"$sum": "$n"}}},
            {"$sort": {"_id": 1}},
        ]
    )
    assert list(groups) == [
        {"_id": "a", "count": 2, "sum": 6},
        {"_id": "b", "count": 2, "sum": 4},
    ]


def test_dates_are_compared_as_moments(things: Collection) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    things.insert_many([{"_id": n, "at": now + timedelta(hours=n)} for n in range(4)])
    found = things.find({"at": {"$gte": now + timedelta(hours=2)}}).sort("at", -1)
    assert ids(found) == [3, 2]


def test_an_index_changes_no_answer(things: Collection) -> None:
    things.create_index("n")
    things.insert_many([{"_id": n, "n": n % 2} for n in range(4)])
    assert sorted(ids(things.find({"n": 1}))) == [1, 3]


def test_an_update_of_several_conditions_changes_what_meets_all_of_them(
    things: Collection,
) -> None:
    things.create_index("link_id")
    things.insert_many(
        [
            {"_id": "a", "link_id": "one", "valid_to": 2},
            {"_id": "b", "link_id": "one", "valid_to": 3},
            {"_id": "c", "link_id": "two", "valid_to": 2},
        ]
    )
    found = {"link_id": "one", "valid_to": 2}
    assert things.update_many(found, {"$set": {"gone": True}}).matched_count == 1
    assert things.update_many({"link_id": "one", "_id": {"$in": ["b", "c"]}}, {"$set": {"b": 1}})
    assert ids(things.find({"gone": True})) == ["a"]
    assert ids(things.find({"b": 1})) == ["b"]
    assert things.update_one({"_id": "c", "valid_to": 3}, {"$set": {"x": 1}}).matched_count == 0
    assert things.update_one({"_id": "c", "valid_to": 2}, {"$set": {"x": 1}}).matched_count == 1
    assert ids(things.find({"x": 1})) == ["c"]
    assert (
        things.update_one({"link_id": "none", "valid_to": 2}, {"$set": {"x": 2}}).matched_count == 0
    )


def test_a_second_document_of_the_same_id_is_told_apart_from_other_failures(
    things: Collection,
) -> None:
    insert(things, {"_id": "a", "n": 1})
    with pytest.raises(DuplicateKeyError):
        insert(things, {"_id": "a", "n": 2})
    assert things.find_one({"_id": "a"}) == {"_id": "a", "n": 1}
