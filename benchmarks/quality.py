"""How good retrieval and replies are: ``python -m benchmarks.quality``.

Syncs the three CRMs of benchmarks/questions.py through the product, asks the 300 questions, and
prints, for each kind of question, hit@1, hit@5 and MRR of the product, of its two parts alone, of
their plain fusion by ranks, and of LangChain's and LlamaIndex's default pipelines over the same
text with the same model; then how often the product's reply is right.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.questions import Asked, Corpus, make
from core.desk import Desk
from core.links import NewLink
from core.models import Channel
from core.retrieval.fusion import evidence, understand
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from core.text.decode import Json, parse_json
from core.text.flatten import flatten
from core.vectors.documents import vector_of
from tests.servers.crm import Answer, Crm

PAGE = "1"
DEEP = 10
KINDS = ("name", "e-mail", "order", "paraphrase", "typo", "language", "comparison")

Ranking = Sequence[Sequence[str]]
"""The texts that were found, best first."""


class Parts:
    """The product's two parts alone, over the same records."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        links = desk.links.of_page(DEFAULT_COMPANY, PAGE)
        states = desk.leases.states([link.link.link_id for link in links])
        self._live = [desk.retriever.live.of(link, states[link.link.link_id]) for link in links]
        self._texts = ["\n".join(e.record.lines) for live in self._live for e in live.entries]
        row_of = {}
        number = 0
        for live in self._live:
            for entry in live.entries:
                row_of |= {chunk_id: number for chunk_id, _ in entry.chunks}
                number += 1
        documents = [d for link in links for d in desk.documents.read(link.link.link_id)]
        self._rows = np.array([row_of[d["_id"]] for d in documents])
        self._matrix = np.stack([vector_of(d["embedding"]) for d in documents])

    def rank(self, question: str) -> dict[str, list[str]]:
        """Rankings by vectors, by words, and by the sum of reciprocal ranks."""
        similar = np.full(len(self._texts), -1.0)
        scores = self._matrix @ self._desk.embedder.embed([question])[0]
        np.maximum.at(similar, self._rows, scores)
        indexes = [live.words for live in self._live]
        asked = understand(question, indexes)
        said = np.concatenate([evidence(asked, index) for index in indexes])
        by_vector = np.argsort(-similar, kind="stable")[:100]
        by_words = [row for row in np.argsort(-said, kind="stable")[:100] if said[row] > 0]
        ranks: dict[int, float] = defaultdict(float)
        for ranking in (by_vector, by_words):
            for rank, row in enumerate(ranking, start=1):
                ranks[int(row)] += 1 / (60 + rank)
        fused = sorted(ranks, key=lambda row: -ranks[row])
        return {
            "vectors only": [self._texts[row] for row in by_vector[:DEEP]],
            "words only": [self._texts[row] for row in by_words[:DEEP]],
            "reciprocal ranks": [self._texts[row] for row in fused[:DEEP]],
        }


def measure(asked: Asked, found: Sequence[str]) -> tuple[float, float, float]:
    """hit@1, hit@5 (all of the records), and the reciprocal rank of the first right text."""
    right = [any(_names(text, key) for key in asked.records) for text in found]
    first = next((rank for rank, is_right in enumerate(right, start=1) if is_right), 0)
    in_five = all(any(_names(text, key) for text in found[:5]) for key in asked.records)
    return float(first == 1), float(in_five), 1 / first if first else 0.0


def answered(corpus: Corpus, rankings: Sequence[Sequence[str]]) -> dict[str, list[bool]]:
    """By kind of question, whether the first text holds the answer; of no answer, no text."""
    right: dict[str, list[bool]] = defaultdict(list)
    for asked, ranking in zip(corpus.questions, rankings, strict=True):
        holds = bool(ranking) and all(part in ranking[0] for part in asked.answer)
        right[asked.kind].append(holds if asked.records else not ranking)
    return right


def _names(text: str, key: str) -> bool:
    return any(line.endswith(f": {key}") for line in text.split("\n"))


def synced(corpus: Corpus, desk: Desk, crm: Crm) -> None:
    """Register the corpus's CRMs and sync them."""
    desk.companies.add_page(DEFAULT_COMPANY, PAGE, "Page")
    for name, body in corpus.answers.items():
        url = crm.serve(f"/{name}", Answer(body))
        desk.links.add(DEFAULT_COMPANY, PAGE, [Channel.MESSENGER], NewLink(name, url))
    if not desk.scheduler().run_once():
        raise SystemExit("A sync failed.")


def peers(corpus: Corpus, folder: Path) -> dict[str, list[list[str]]]:
    """What LangChain and LlamaIndex find for each question, as they come."""
    texts = {
        name: "\n".join(flatten(Json(parse_json(body))).lines())
        for name, body in corpus.answers.items()
    }
    given = folder / "given.json"
    given.write_text(json.dumps({"texts": texts, "questions": [q.text for q in corpus.questions]}))
    found = folder / "found.json"
    command = [sys.executable, "-m", "benchmarks.peers", "retrieval", str(given), str(found)]
    subprocess.run(command, check=True)
    result: dict[str, list[list[str]]] = json.loads(found.read_text())
    return result


def main(
    customers: Annotated[int, typer.Option()] = 1000,
    seed: Annotated[int, typer.Option()] = 7,
    with_peers: Annotated[bool, typer.Option()] = True,
    wrong: Annotated[bool, typer.Option(help="Print what is not right.")] = False,
) -> None:
    """Run the benchmark."""
    corpus = make(customers, seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        crm = Crm()
        desk = Desk(Settings(data_dir=folder / "data", crm_allowed_hosts=crm.hosts))
        synced(corpus, desk, crm)
        parts = Parts(desk)
        found: dict[str, list[Sequence[str]]] = defaultdict(list)
        replies: dict[str, list[bool]] = defaultdict(list)
        seconds = []
        for asked in corpus.questions:
            started = time.perf_counter()
            hits = desk.retriever.search(
                DEFAULT_COMPANY, PAGE, Channel.MESSENGER, asked.text, DEEP
            ).hits
            seconds.append(time.perf_counter() - started)
            found["the product"].append([hit.text for hit in hits])
            for name, ranking in parts.rank(asked.text).items():
                found[name].append(ranking)
            reply = desk.replier.reply(DEFAULT_COMPANY, PAGE, Channel.MESSENGER, asked.text)
            is_right = (
                reply.is_known and all(part in reply.text for part in asked.answer)
                if asked.records
                else not reply.is_known
            )
            replies[asked.kind].append(is_right)
            hit_1 = measure(asked, found["the product"][-1])[0] if asked.records else 1.0
            if wrong and not (is_right and hit_1):
                print(f"{asked}\n  hit@1 {hit_1}; {reply.text!r}")
                for hit in hits[:3]:
                    print(
                        f"    {hit.score} = {hit.similarity} & {hit.evidence}: {hit.text[:200]!r}"
                    )
        if with_peers:
            found |= peers(corpus, folder)
        desk.mirror.close()
        crm.close()
    _print(corpus, found, replies, seconds)


def _print(
    corpus: Corpus,
    found: dict[str, list[Sequence[str]]],
    replies: dict[str, list[bool]],
    seconds: list[float],
) -> None:
    say = print
    for title, index in (("hit@1", 0), ("hit@5", 1), ("MRR", 2)):
        say(f"\n| {title} | " + " | ".join((*KINDS, "all")) + " |")
        say("|---" * (len(KINDS) + 2) + "|")
        for name, rankings in found.items():
            by_kind: dict[str, list[float]] = defaultdict(list)
            for asked, ranking in zip(corpus.questions, rankings, strict=True):
                if asked.records:
                    by_kind[asked.kind].append(measure(asked, ranking)[index])
            everything = [value for values in by_kind.values() for value in values]
            cells = [f"{np.mean(by_kind[kind]):.2f}" for kind in KINDS]
            say(f"| {name} | {' | '.join(cells)} | {np.mean(everything):.3f} |")
    # The others have no reply: what they have is right when the answer stands in their first text,
    # and where there is none, when they find nothing.
    kinds = (*KINDS, "none-such")
    say("\n| right answers | " + " | ".join(kinds) + " |")
    say("|---" * (len(kinds) + 1) + "|")
    rows = {"the product's reply": replies}
    for name, rankings in found.items():
        if name != "the product":
            rows[f"{name}, first text"] = answered(corpus, rankings)
    for name, right in rows.items():
        say(f"| {name} | {' | '.join(f'{np.mean(right[kind]):.2f}' for kind in kinds)} |")
    say(f"\nA search, with embedding the question: median {np.median(seconds) * 1000:.1f} ms")


if __name__ == "__main__":
    typer.run(main)
