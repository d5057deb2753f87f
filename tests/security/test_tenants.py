"""One page's text never answers for another, one channel's never for the other.

Random links, switches, deletions and syncs; after each of them every page, channel and company is
searched, and finds exactly what is switched on for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import NotFound
from core.links import NewLink
from core.models import Channel
from core.vectors.embed import Embedder
from tests.servers.crm import Crm
from tests.sync.inside import Inside

COMPANIES = ("company-001", "company-002")
PAGES = ("page-a", "page-b")
CHANNELS = st.sets(st.sampled_from(list(Channel)), min_size=1)
numbers = itertools.count()

actions = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"),
            st.sampled_from(COMPANIES),
            st.sampled_from(PAGES),
            CHANNELS,
            st.booleans(),
        ),
        st.tuples(st.just("switch"), st.integers(0, 5), CHANNELS, st.booleans()),
        st.tuples(st.just("delete"), st.integers(0, 5), CHANNELS),
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, crm: Crm, embedder: Embedder
) -> Iterator[Inside]:
    folder: Path = tmp_path_factory.mktemp("tenants")
    opened = Inside(folder, crm.hosts, embedder)
    for company in COMPANIES:
        for page in PAGES:
            opened.desk.companies.add_page(company, page, page)
    yield opened
    opened.close()


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions)
def test_a_search_finds_exactly_what_is_switched_on_for_its_page_and_channel(
    shared: Inside, crm: Crm, steps: list[tuple[object, ...]]
) -> None:
    desk = shared.desk
    # What each link says, and where it is switched on.
    on: dict[tuple[str, str, str], dict[Channel, bool]] = {}
    words: dict[tuple[str, str, str], str] = {}
    for step in steps:
        if step[0] == "add":
            _, company, page, channels, active = step
            number = next(numbers)
            word = f"secretword{number}"
            url = crm.serve(f"/tenant/{number}", {"rows": [{"id": number, "word": word}]})
            new = NewLink(word, url, is_active=bool(active))
            desk.links.add(str(company), str(page), list(channels), new)
            on[str(company), str(page), url] = dict.fromkeys(channels, bool(active))
            words[str(company), str(page), url] = word
        elif on:
            index, channels = step[1], step[2]
            key = list(on)[int(str(index)) % len(on)]
            meant = [c for c in channels if c in on[key]]
            if not meant:
                continue
            if step[0] == "switch":
                desk.links.set_active(*key, meant, bool(step[3]))
                on[key] |= dict.fromkeys(meant, bool(step[3]))
            else:
                desk.links.delete(*key, meant)
                for channel in meant:
                    del on[key][channel]
    desk.scheduler().run_once()
    for company, page, channel in itertools.product(COMPANIES, PAGES, Channel):
        expected = {
            words[key]
            for key, channels in on.items()
            if key[:2] == (company, page) and channels.get(channel)
        }
        hits = desk.retriever.search(company, page, channel, "secretword", 100).hits
        assert {hit.link_name for hit in hits} == expected
        assert {hit.text.split("word: ")[-1] for hit in hits} == expected
    for company, page, url in list(on):
        for channel in list(on[company, page, url]):
            desk.links.delete(company, page, url, [channel])


def test_nothing_of_another_company_can_be_named(shared: Inside, crm: Crm) -> None:
    desk = shared.desk
    url = crm.serve("/tenant/named", {"rows": [{"id": 1, "word": "x"}]})
    link = desk.links.add("company-001", "page-a", [Channel.MESSENGER], NewLink("x", url))
    run_id = desk.runs.find("company-001", link_id=link.link.link_id)[0]["_id"]
    question = desk.questions.add("company-001", "page-a", Channel.MESSENGER, "Who?", "x")
    for call in (
        lambda: desk.links.get("company-002", link.link.link_id),
        lambda: desk.links.sync_now("company-002", link.link.link_id),
        lambda: desk.runs.get("company-002", run_id),
        lambda: desk.runs.cancel("company-002", run_id),
        lambda: desk.questions.delete("company-002", question),
    ):
        with pytest.raises(NotFound):
            call()
    assert desk.questions.of_page("company-002", "page-a") == []
    desk.links.delete("company-001", "page-a", url, [Channel.MESSENGER])
