"""What a user would run otherwise: the same models through sentence-transformers, FAISS and transformers, on torch.

It finds by vectors alone, reads the five passages padded to the longest, and takes the best span.
`python -m eval.baseline embed INDEX FOLDER` writes what it needs; `serve FOLDER PORT` then answers `POST /ask`.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import faiss
import numpy as np
import torch
import uvicorn
from fastapi import Body, FastAPI
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertForQuestionAnswering

TOP_K = 5
TEXTS, VECTORS = "texts.json", "vectors.npy"
LONGEST = 40  # tokens of an answer
HEAD = 32  # dimensions of one attention head, which the graph does not tell


@dataclass(frozen=True, slots=True)
class Found:
    """The best span of the passages read, with its logits' sum."""

    answer: str
    score: float


class Baseline:
    """Passages and their vectors in memory, and both models in torch."""

    def __init__(
        self,
        texts: list[str],
        vectors: NDArray[np.float32],
        embedder: SentenceTransformer,
        reader: BertForQuestionAnswering,
    ) -> None:
        self._texts = texts
        self._embedder = embedder
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)
        self._reader = reader
        self._tokenizer: Any = self._embedder.tokenizer  # both models have the same

    def ask(self, question: str) -> Found:
        vector = self._embedder.encode([question], normalize_embeddings=True, show_progress_bar=False)
        texts = [self._texts[row] for row in self._index.search(vector, TOP_K)[1][0]]
        read = self._tokenizer(
            [question] * len(texts),
            texts,
            padding=True,
            truncation="only_second",
            max_length=512,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        places = read.pop("offset_mapping")
        with torch.inference_mode():
            out = self._reader(**read)
        best = Found("", -np.inf)
        for row, text in enumerate(texts):
            inside = torch.tensor([part == 1 for part in read.sequence_ids(row)])
            starts, ends = (each[row].masked_fill(~inside, -1e9) for each in (out.start_logits, out.end_logits))
            scores = (starts[:, None] + ends[None, :]).triu().tril(LONGEST - 1)
            scores = scores.masked_fill(scores == 0, -1e9)
            start, end = divmod(int(scores.argmax()), scores.shape[1])
            if (score := float(scores[start, end])) > best.score:
                best = Found(text[places[row, start, 0] : places[row, end, 1]], score)
        return best


def shipped_reader() -> BertForQuestionAnswering:
    """The shipped reader as a model of transformers: the weights of the network that is shipped."""
    from index.network import multiplied
    from service.reader.model import NETWORK, WEIGHTS

    constants: dict[str, Any] = {}
    weights: dict[str, Any] = {}
    for node in multiplied(WEIGHTS / NETWORK).get_ordered_ops():
        if node.get_type_name() == "Constant":
            constants[node.get_friendly_name().removeprefix("model.")] = node.data
        elif node.get_type_name() == "Add":  # a bias, and the matrix before it
            product, bias = (node.input_value(side).get_node() for side in (0, 1))
            if product.get_type_name() == "MatMul" and bias.get_friendly_name().endswith(".bias"):
                name = bias.get_friendly_name().removeprefix("model.").removesuffix("bias") + "weight"
                weights[name] = product.input_value(1).get_node().data.T
    for name, value in constants.items():
        if name.endswith((".weight", ".bias")):
            weights[name] = value
        elif name.endswith(".weight.int8"):
            table = name.removesuffix(".int8")
            weights[table] = value * constants[f"{table}.scale"]
    width = weights["bert.embeddings.LayerNorm.bias"].size
    config = BertConfig(
        vocab_size=len(weights["bert.embeddings.word_embeddings.weight"]),
        hidden_size=width,
        num_hidden_layers=sum(name.endswith("intermediate.dense.bias") for name in weights),
        num_attention_heads=width // HEAD,
        intermediate_size=weights["bert.encoder.layer.0.intermediate.dense.bias"].size,
    )
    model: Any = BertForQuestionAnswering(config)
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    given = {name: torch.from_numpy(np.array(value)).reshape(shapes[name]) for name, value in weights.items()}
    model.load_state_dict(given)
    found: BertForQuestionAnswering = model.eval()
    return found


def embed(directory: Path, folder: Path) -> None:
    """Write texts and vectors of an index's passages and both models; print how many passages a second it embedded."""
    from index.embedding import SentenceTransformerEmbedder
    from index.store import Store, model_input

    model = SentenceTransformerEmbedder().model
    with Store.open(directory) as store:
        passages = [
            (passage.text, model_input(document.title, passage)) for _, passage, document, _ in store.all_passages()
        ]
    folder.mkdir()
    (folder / TEXTS).write_text(json.dumps([text for text, _ in passages]), encoding="utf-8")
    model.save(str(folder / "embedder"))
    shipped_reader().save_pretrained(folder / "reader")
    inputs = [words for _, words in passages]
    began = time.perf_counter()
    np.save(folder / VECTORS, model.encode(inputs, normalize_embeddings=True, show_progress_bar=False))
    print(json.dumps({"rate": len(inputs) / (time.perf_counter() - began)}))


def serve(folder: Path, port: int) -> None:
    """Answer over HTTP, with the threads that uvicorn and torch take by default."""
    embedder = SentenceTransformer(str(folder / "embedder"), device="cpu", local_files_only=True)
    reader = BertForQuestionAnswering.from_pretrained(folder / "reader", local_files_only=True)
    texts = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
    baseline = Baseline(texts, np.load(folder / VECTORS), embedder, reader)
    app = FastAPI()

    @app.post("/ask")
    def ask(question: Annotated[str, Body(embed=True)]) -> Found:
        return baseline.ask(question)

    uvicorn.run(app, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    if sys.argv[1] == "embed":
        embed(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        serve(Path(sys.argv[2]), int(sys.argv[3]))
