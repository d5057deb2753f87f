"""How long a search takes, and what it finds: ``make bench-search``.

For 1,000 to 1,000,000 vectors: the product's search without embedding the question (median and 99th
percentile), beside a bare Chroma collection and a multiplication in numpy, and the recall of the
true top 10. Records and vectors are made up: clusters of 384 numbers.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from core.batched import batched
from core.desk import Desk
from core.models import Channel, Chunk, CrmLink, PageLink, Record
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from core.vectors.embed import Embedder
from core.vectors.part import PART, Part, entry_of

PAGE = "1"
QUESTIONS = 200
TOP = 10
SOURCE = np.random.default_rng(8)
NAMES = [f"{a}{b}" for a in ("an", "be", "ca", "do", "el") for b in ("ra", "lo", "mi", "tu", "se")]


def vectors(count: int) -> Any:
    """Unit vectors in a thousand clusters, as texts of one kind are."""
    centers = SOURCE.normal(size=(1000, 384)).astype(np.float32)
    rows = centers[SOURCE.integers(0, 1000, count)]
    for start in range(0, count, 50_000):
        part = rows[start : start + 50_000]
        part += 0.7 * SOURCE.normal(size=part.shape).astype(np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


class Asked(Embedder):
    """Knows the questions' vectors: what embedding costs is not measured here."""

    def __init__(self, questions: Any) -> None:
        super().__init__()
        self.questions = questions

    def embed(self, texts: Sequence[str]) -> Any:
        return np.stack([self.questions[int(text.rpartition("#")[2])] for text in texts])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 for text in texts]


def filled(folder: Path, rows: Any, questions: Any) -> Desk:
    """A desk whose page serves a record for each vector, as if a sync had stored them."""
    desk = Desk(Settings(data_dir=folder), Asked(questions))
    desk.companies.add_page(DEFAULT_COMPANY, PAGE, "Page")
    link = CrmLink("link-bench", "Customers", "https://crm.example.com/customers")

    def add(company: dict[str, Any]) -> None:
        company["pages"][0]["messenger_crm_links"] = [link.to_document()]

    desk.companies.edit(DEFAULT_COMPANY, add)
    desk.links.reconcile()
    page_link = desk.links.get(DEFAULT_COMPANY, "link-bench")
    store(desk, page_link, rows)
    states = desk.database["link_states"]
    served = {"live_generation": 1, "documents": len(rows)}
    states.update_one({"_id": "link-bench"}, {"$set": served})
    return desk


def store(desk: Desk, link: PageLink, rows: Any) -> None:
    entries = []
    for number in range(len(rows)):
        name = f"{NAMES[number % 25]} {NAMES[number // 25 % 25]}{number // 625}"
        lines = (
            f"customers[].id: cust-{number}",
            f"customers[].name: {name}",
            f"customers[].email: {name.replace(' ', '.')}@example.com",
            f"customers[].plan: {('basic', 'gold')[number % 2]}",
        )
        record = Record(f"id=cust-{number}", f"customers[{number}]", "customers[]", lines, ())
        text = "\n".join(lines)
        chunk = Chunk(f"chunk-{number:08d}", record.key, record.path, text, str(number))
        entries.append((record, chunk))
    for start in range(0, len(rows), 2000):
        part = [chunk for _, chunk in entries[start : start + 2000]]
        desk.documents.insert(link, 1, "made up", part, rows[start : start + 2000])
    made = (entry_of(record, [chunk], 0.0) for record, chunk in entries)
    parts = [Part.of(batch) for batch in batched(made, PART)]
    desk.contents.write(link.link.link_id, 1, parts)


def timed(ask: Callable[[int], Any]) -> tuple[float, float, list[Any]]:
    """The median and the 99th percentile in milliseconds, and what was found."""
    taken, found = [], []
    for number in range(QUESTIONS):
        started = time.perf_counter()
        found.append(ask(number))
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken), sorted(taken)[int(QUESTIONS * 0.99)], found


def bare_chroma(rows: Any, questions: Any) -> tuple[float, float, list[Any]]:
    """The times of a collection as Chroma makes it by default, of the vectors alone."""
    import chromadb
    from chromadb.config import Settings as ChromaSettings

    with tempfile.TemporaryDirectory() as folder:
        client = chromadb.PersistentClient(folder, ChromaSettings(anonymized_telemetry=False))
        cosine: Any = {"hnsw": {"space": "cosine"}}
        collection = client.create_collection("bare", configuration=cosine, embedding_function=None)
        for start in range(0, len(rows), 1000):
            part = rows[start : start + 1000]
            ids = [str(start + number) for number in range(len(part))]
            collection.upsert(ids=ids, embeddings=part)

        def ask(number: int) -> list[int]:
            found = collection.query(query_embeddings=[questions[number]], n_results=TOP)
            return [int(one) for one in found["ids"][0]]

        return timed(ask)


def measure(count: int, *, with_chroma: bool) -> list[str]:
    """A row of the table for each way to search."""
    rows = vectors(count)
    near = rows[SOURCE.integers(0, count, QUESTIONS)]
    questions = near + 0.2 * SOURCE.normal(size=near.shape).astype(np.float32)
    questions /= np.linalg.norm(questions, axis=1, keepdims=True)
    true = [set(np.argsort(-(rows @ question))[:TOP]) for question in questions]
    with tempfile.TemporaryDirectory() as folder:
        desk = filled(Path(folder), rows, questions)
        asked = (DEFAULT_COMPANY, PAGE, Channel.MESSENGER)

        def product(number: int) -> list[int]:
            text = f"Which plan does {NAMES[number % 25]} have? #{number}"
            hits = desk.retriever.search(*asked, text, TOP).hits
            return [int(hit.chunk_id.rpartition("-")[2]) for hit in hits]

        started = time.perf_counter()
        product(0)
        first = time.perf_counter() - started
        searched = timed(product)
        links = desk.links.of_page(DEFAULT_COMPANY, PAGE)
        mirror = desk.mirror

        def by_vector(number: int) -> list[int]:
            found = mirror.search(*asked, links, questions[number], TOP)
            best = sorted(found, key=lambda one: -one.similarity)
            return [int(one.chunk_id.rpartition("-")[2]) for one in best[:TOP]]

        part = timed(by_vector)
        mirror.close()
    bare = bare_chroma(rows, questions) if with_chroma else None
    brute = timed(lambda number: np.argpartition(-(rows @ questions[number]), TOP)[:TOP])
    made = []
    for name, measured in (
        ("the product's search", searched),
        ("its vectors alone", part),
        ("bare Chroma, defaults", bare),
        ("numpy, all of them", brute),
    ):
        if measured is None:
            continue
        median, slowest, found = measured
        recall = np.mean(
            [len(set(map(int, own)) & t) / TOP for own, t in zip(found, true, strict=True)]
        )
        shown = "-" if name.startswith("the product") else f"{recall:.3f}"
        made.append(f"| {count:,} | {name} | {median:.1f} ms | {slowest:.1f} ms | {shown} |")
    made.append(f"| {count:,} | making the mirror, once | {first:.1f} s | | |")
    return made


def main(
    sizes: Annotated[str, typer.Option()] = "1000,10000,100000",
    with_chroma: Annotated[bool, typer.Option()] = True,
) -> None:
    """Run it; a bare Chroma takes a quarter of an hour to make for a million."""
    print("| vectors | | median | 99th percentile | recall of the top 10 |\n|---|---|---|---|---|")
    for size in sizes.split(","):
        for row in measure(int(size), with_chroma=with_chroma):
            print(row, flush=True)


if __name__ == "__main__":
    typer.run(main)
