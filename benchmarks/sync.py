"""How long a sync takes, and a sync after a change: ``make bench-sync``.

10,000 customers from a local CRM, 100 a page, through the product (fetch, flatten, redact, chunk,
embed, publish); beside the bare limit (embedding the same chunks and nothing else), LangChain's
``index()`` with Chroma and LlamaIndex's ``IngestionPipeline`` with Chroma, each with a document a
record. The peers get the flattened text for nothing: they fetch and flatten nothing.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.peers import SYNCED
from benchmarks.questions import make
from core.desk import Desk
from core.links import NewLink
from core.models import Channel, FetchOptions, Incremental, Trigger
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from core.text.decode import Json, parse_json
from core.text.flatten import flatten
from tests.servers.crm import Answer, Crm, Request

PAGE = "1"
PER_PAGE = 100
STEPS = ("full sync", "1 % changed", "first record gone", "all reordered")
PRODUCT = "the product"
INCREMENT = "the product, asking only for what changed"
LIMIT = "the limit: embedding alone"

People = list[dict[str, Any]]


def versions(count: int) -> dict[str, People]:
    """What the CRM has at each step."""
    corpus = json.loads(make(min(count, 3000), seed=9).answers["crm"])["customers"]
    people = [{**corpus[number % len(corpus)], "id": f"cust-{number}"} for number in range(count)]
    changed = [
        {**one, "plan": "Titanium"} if number % 100 == 50 else one
        for number, one in enumerate(people)
    ]
    return dict(zip(STEPS, (people, changed, changed[1:], changed[:0:-1]), strict=True))


def serve(crm: Crm, people: People, changed: People | None = None) -> str:
    """Answer with these, page by page; with ``changed`` to who asks only for what has changed."""

    def page(request: Request) -> Answer:
        if changed is not None and "since" in request.query:
            return Answer({"customers": changed})
        number = int(request.query.get("page", "1"))
        part = people[(number - 1) * PER_PAGE : number * PER_PAGE]
        more = number * PER_PAGE < len(people)
        following = f"http://{crm.host}/customers?page={number + 1}"
        return Answer({"customers": part, "next": following if more else None})

    return crm.serve("/customers", page)


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def product(data: dict[str, People], folder: Path) -> tuple[dict[str, float], list[str]]:
    """Seconds for each step and for an increment, and the chunks of the first step."""
    crm = Crm()
    settings = Settings(data_dir=folder, crm_allowed_hosts=crm.hosts, max_pages=100_000)
    desk = Desk(settings)
    desk.embedder.embed(["warm"])
    desk.companies.add_page(DEFAULT_COMPANY, PAGE, "Page")
    url = serve(crm, data[STEPS[0]])
    # The greatest id is told to the CRM, which knows best what has changed.
    fetch = FetchOptions(incremental=Incremental("since", "id"))
    new = NewLink("Customers", url, fetch=fetch)
    link = desk.links.add(DEFAULT_COMPANY, PAGE, [Channel.MESSENGER], new)
    seconds, chunks = {}, []
    for step, people in data.items():
        serve(crm, people)
        if step != STEPS[0]:
            desk.links.request_sync(link, Trigger.MANUAL)
        seconds[step] = timed(lambda: desk.scheduler().run_once())
        if step == STEPS[0]:
            chunks = [d["text"] for d in desk.documents.read(link.link.link_id)]
    serve(crm, people, [{**one, "plan": "Palladium"} for one in people[20::100]])
    states = desk.database["link_states"]
    states.update_one({"_id": link.link.link_id}, {"$set": {"due_at": time.time()}})
    seconds[INCREMENT] = timed(lambda: desk.scheduler().run_once())
    run = desk.runs.latest(link.link.link_id)
    assert run is not None
    assert run["counts"]["new"] == len(people[20::100]), run
    crm.close()
    return seconds, chunks


def limit(chunks: list[str]) -> float:
    """Seconds to embed the chunks, sorted by length, and do nothing else."""
    from core.vectors.embed import Embedder

    embedder = Embedder()
    embedder.embed(["warm"])
    ordered = sorted(chunks, key=len)
    return timed(lambda: embedder.embed(ordered))


def texts_of(data: dict[str, People]) -> dict[str, list[tuple[str, str]]]:
    """What a peer gets at each step: of each record its path and its flattened text."""
    steps = {}
    for step, people in data.items():
        flattened = flatten(Json(parse_json(json.dumps({"customers": people}))))
        steps[step] = [
            (record.path, record.positioned("\n".join(record.lines)))
            for record in flattened.records
            if record.pattern
        ]
    return steps


def peer(name: str, steps: dict[str, list[tuple[str, str]]], folder: Path) -> dict[str, float]:
    """A peer's seconds for each step."""
    given, found = folder / "given.json", folder / "found.json"
    given.write_text(json.dumps({"peer": name, "steps": steps}))
    command = [sys.executable, "-m", "benchmarks.peers", "sync", str(given), str(found)]
    subprocess.run(command, check=True)
    result: dict[str, float] = json.loads(found.read_text())
    return result


def main(
    records: Annotated[int, typer.Option()] = 10_000,
    rounds: Annotated[int, typer.Option()] = 1,
    with_peers: Annotated[bool, typer.Option()] = True,
) -> None:
    """Run it, and print a table of medians: in each round the product and the limit before each
    peer, so that they are measured beside it."""
    data = versions(records)
    steps = texts_of(data) if with_peers else {}
    taken: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name in [*(SYNCED if with_peers else (None,))] * rounds:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            own, chunks = product(data, folder / "data")
            found = {
                PRODUCT: own,
                INCREMENT: {STEPS[1]: own.pop(INCREMENT)},
                LIMIT: {STEPS[0]: limit(chunks)},
            }
            if name is not None:
                found[name] = peer(name, steps, folder)
        print({one: {s: round(v, 1) for s, v in own.items()} for one, own in found.items()})
        for one, seconds in found.items():
            for step, value in seconds.items():
                taken[one][step].append(value)
    print(f"\n| {records:,} records, seconds | " + " | ".join(STEPS) + " |")
    print("|---" * (len(STEPS) + 1) + "|")
    own = {step: statistics.median(taken[PRODUCT][step]) for step in STEPS}
    for name, measured in taken.items():
        cells = []
        for step in STEPS:
            if not measured[step]:
                cells.append("")
                continue
            seconds_taken = statistics.median(measured[step])
            ratio = "" if name == PRODUCT else f" ({seconds_taken / own[step]:.2g}x)"
            cells.append(f"{seconds_taken:.1f}{ratio}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    typer.run(main)
