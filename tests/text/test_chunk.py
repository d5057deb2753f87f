"""Chunks: of one record each, whole for the model, and nothing left out."""

from __future__ import annotations

import json
from typing import Any

from core.models import Chunk
from core.text.chunk import MAX_TOKENS, chunk_of, cut_records
from core.text.decode import Json, Text, parse_json
from core.text.flatten import flatten
from core.vectors.embed import Embedder


def chunks_of(embedder: Embedder, value: Any) -> list[list[Chunk]]:
    answer = Text(value) if isinstance(value, str) else Json(parse_json(json.dumps(value)))
    records = flatten(answer).records
    cut = cut_records(records, embedder.count_tokens)
    return [
        [chunk_of(record, text, "l", "m") for text in texts]
        for record, texts in zip(records, cut, strict=True)
    ]


LONG = {
    "customers": [
        {"id": f"c-{n}", "name": f"Name {n}"}
        | {f"note_{i}": f"something happened on day {i} of case {n}" for i in range(60)}
        for n in range(3)
    ]
}


def test_every_chunk_fits_the_model_whole(embedder: Embedder) -> None:
    for value in (LONG, {"a": "word " * 3000}, "word " * 3000, {"a": "x" * 5000}):
        texts = [chunk.text for own in chunks_of(embedder, value) for chunk in own]
        assert max(embedder.count_tokens(texts)) <= MAX_TOKENS


def test_a_chunk_never_mixes_two_records_and_every_part_says_whose_it_is(
    embedder: Embedder,
) -> None:
    per_record = chunks_of(embedder, LONG)
    assert len(per_record) == 3
    for number, own in enumerate(per_record):
        assert len(own) > 1
        for chunk in own:
            assert f"customers[].id: c-{number}" in chunk.text
            assert f"customers[].name: Name {number}" in chunk.text
            for other in {0, 1, 2} - {number}:
                assert f"case {other}" not in chunk.text


def test_no_line_is_left_out(embedder: Embedder) -> None:
    records = flatten(Json(parse_json(json.dumps(LONG)))).records
    for record, own in zip(records, chunks_of(embedder, LONG), strict=True):
        chunked = {line for chunk in own for line in chunk.text.split("\n")}
        assert set(record.lines) <= chunked


def test_a_long_value_is_cut_between_words_and_keeps_its_path(embedder: Embedder) -> None:
    words = [f"word{number}" for number in range(800)]
    (own,) = chunks_of(embedder, {"story": " ".join(words)})
    assert all(chunk.text.startswith("story: ") for chunk in own)
    again = " ".join(chunk.text.removeprefix("story: ") for chunk in own)
    assert again.split() == words


def test_ids_are_stable_and_follow_the_text(embedder: Embedder) -> None:
    first, second = ({"a": [{"id": 1, "v": value}]} for value in ("x", "y"))
    ids = [chunks_of(embedder, value)[0][0].chunk_id for value in (first, first, second)]
    assert ids[0] == ids[1] != ids[2]
