"""Words: the same for a question and a record, however they are written."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.models import Record
from core.retrieval.fusion import evidence, fused, understand
from core.retrieval.lexical import LinkWords
from core.retrieval.words import folded, says_nothing, words


def record(key: str, **fields: str) -> Record:
    lines = tuple(f"customers[].{name}: {value}" for name, value in fields.items())
    return Record(key, "customers[0]", "customers[]", lines, ())


def best(question: str, *records: Record) -> list[int]:
    """The records that the words name, best first."""
    index = LinkWords(records)
    said = evidence(understand(question, [index]), index)
    return [row for row in sorted(range(len(records)), key=lambda r: -said[r]) if said[row] > 0.5]


def test_case_and_accents_do_not_matter() -> None:
    assert folded("José MÜLLER Łódź") == "jose muller łodz"
    assert set(words("JOSÉ Müller")) == set(words("jose MULLER"))


def test_compounds_are_words_whole_and_in_parts() -> None:
    found = list(words("Mail jane.doe@example.com about SO-4711"))
    assert {"jane.doe@example.com", "jane", "so-4711", "4711"} <= set(found)


def test_a_phone_number_is_its_digits_however_it_is_written() -> None:
    for written in ("+49 170 1234567", "+49(170)123-4567", "+491701234567", "49 170 / 1234567"):
        assert "491701234567" in set(words(f"call {written} now")), written


def test_languages_without_spaces_are_found_by_pairs_of_characters() -> None:
    tokyo, osaka = record("1", name="東京商店"), record("2", name="大阪商店")
    assert best("東京商店の営業時間は?", tokyo, osaka)[0] == 0


def test_words_that_say_nothing_are_names_within_a_sentence() -> None:
    assert says_nothing("the", "What is the plan?")
    assert says_nothing("will", "Will it rain?")
    assert not says_nothing("will", "What plan does Will have?")


def test_a_misspelled_name_is_found_but_a_number_never_is_another() -> None:
    jane, john = record("1", name="Jane Katzenberger"), record("2", name="John Doe")
    assert best("Jnae Katzenbergr", jane, john) == [0]
    one, two = record("1", id="SO-47115"), record("2", id="SO-47116")
    assert best("SO-47115", one, two) == [0]
    assert best("SO-47117", one, two) == []
    assert understand("SO-47117", [LinkWords([one, two])]).unknown == {"so-47117", "47117"}


def test_a_whole_name_beats_its_parts_in_either_order() -> None:
    people = [record(str(n), name=name) for n, name in enumerate(("Ann Ray", "Jo Lee", "Ann Lee"))]
    assert best("Ann Lee", *people)[0] == 2
    assert best("Lee, Ann", *people)[0] == 2
    # They stand on both sides of a word between them: nobody is called so.
    assert set(best("Ann Ray or Jo Lee", *people)[:2]) == {0, 1}


def test_what_names_a_record_counts_more_than_what_describes_it() -> None:
    named = record("1", name="Gold Berlin")
    described = record("2", name="Max Muster", note="He moved from Gold Berlin last year, he says")
    assert best("Gold Berlin", described, named)[0] == 1


@given(
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(0, 20),
    st.floats(0, 20),
)
def test_a_better_witness_never_makes_a_record_worse(
    similar: float, more_similar: float, said: float, said_more: float
) -> None:
    low, high = sorted((similar, more_similar))
    little, much = sorted((said, said_more))
    assert 0 <= fused(low, little) <= fused(high, little) <= 1
    assert fused(low, little) <= fused(low, much) <= 1


@given(st.text(max_size=300))
def test_any_text_has_words_and_a_question_of_them(text: str) -> None:
    index = LinkWords([record("1", name="Jane", note=text)])
    understood = understand(text, [index])
    # Whatever stands in a record is known to it.
    assert understood.unknown == frozenset() or "\n" in text or ": " in text


NAMED = st.tuples(
    st.integers(0, 8),
    st.text(st.sampled_from("abé -1"), max_size=12),
    st.text(st.sampled_from("xyz @.2"), max_size=30),
)
GENERATION = st.lists(NAMED, max_size=8, unique_by=lambda one: one[0])


@given(GENERATION, st.lists(GENERATION, max_size=3))
def test_words_of_a_next_generation_are_as_if_all_its_records_had_been_read(
    first: list[tuple[int, str, str]], others: list[list[tuple[int, str, str]]]
) -> None:
    held, index = first, LinkWords([record(str(n), name=a, note=b) for n, a, b in first])
    for generation in others:
        records = [record(str(n), name=a, note=b) for n, a, b in generation]
        kept = [held.index(one) if one in held else -1 for one in generation]
        fresh = [(row, records[row]) for row, was in enumerate(kept) if was < 0]
        index = index.changed(np.asarray(kept, dtype=np.int32), fresh)
        held, anew = generation, LinkWords(records)
        for word in {*index._ids, *anew._ids, "abba", "ab", "xyzzy"}:
            assert (word in index) == (word in anew)
            assert index.tells_apart(word) == anew.tells_apart(word)
            assert index.spelled_like(word) == anew.spelled_like(word)
            for one, other in zip(index.rows_with(word), anew.rows_with(word), strict=True):
                assert one.tolist() == other.tolist()
        assert index.size == anew.size
