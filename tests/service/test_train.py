"""Training the span reader, end to end on forty examples."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from service.reader import data
from service.reader.model import load_span_reader
from service.reader.train import CHECKPOINT, Corpus, Learner, Plan, batches_of, train
from tests.service.tiny import hit

TOWNS = ["Paris", "Rome", "Oslo", "Riga", "Bern"]
PLAN = Plan(passes=1, cycles=1, cycle_passes=1, natural=0.0, batch_tokens=400, learning_rate=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty questions in files named as those that a reader is trained on."""
    folder = tmp_path_factory.mktemp("data")
    names = [data.WORDS, *data.PARAGRAPHS, data.DEV]
    for number, name in enumerate([*names, data.DEV]):
        with gzip.open(folder / name, "at", encoding="utf-8") as lines:
            for at, town in enumerate(TOWNS):
                year = str(1900 + 10 * number + at)
                context = f"The bridge of {town} opened in {year}. It was built by hand. Nobody knows who paid for it."
                row = {"id": f"{number}-{at}", "title": town, "context": context, "is_impossible": at == 4}
                row["question"] = f"When did the bridge of {town} open?" if at < 4 else f"Who paid for {town}?"
                row["answers"] = [{"text": year, "answer_start": context.index(year)}] if at < 4 else []
                lines.write(json.dumps(row) + "\n")
    return folder


def test_forty_examples_make_a_reader_that_can_be_opened(folder: Path, tmp_path: Path) -> None:
    measured = train(folder, tmp_path, PLAN, compiled=False)
    assert measured["questions"] == 10
    assert 0 <= measured["answerable_em"] <= measured["answerable_f1"] <= 100
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["stage"] for entry in log if "answerable_f1" in entry and "stage" in entry] == [0, 1, 2]
    assert all(entry["loss"] > 0 for entry in log if "loss" in entry)
    reader = load_span_reader(str(tmp_path / "model"))
    spans = reader.read("When did the bridge of Kyiv open?", [hit("The bridge of Kyiv opened in 1853.")])
    assert spans == sorted(spans, key=lambda span: -span.score) != []


def test_stopped_training_goes_on_to_the_same_weights(folder: Path, tmp_path: Path) -> None:
    whole = train(folder, tmp_path / "whole", PLAN, compiled=False)
    stopped = Learner(PLAN, tmp_path / "stopped", compiled=False)
    next(iter(stopped.learn(batches_of(Corpus(folder, PLAN).stage(0), stopped.tokenizer, PLAN, 0))))
    stopped.next_stage()
    batches = batches_of(Corpus(folder, PLAN).stage(1), stopped.tokenizer, PLAN, 1)
    next(stopped.learn(batches))
    stopped.save()
    assert train(folder, tmp_path / "stopped", PLAN, compiled=False) == whole
    left, right = (torch.load(tmp_path / name / CHECKPOINT)["model"] for name in ("whole", "stopped"))
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_the_model_is_the_average_of_the_weights_at_each_end(folder: Path, tmp_path: Path) -> None:
    learner = Learner(PLAN, tmp_path, compiled=False)
    head, ends = "qa_outputs.weight", []
    for stage in range(3):
        list(learner.learn(batches_of(Corpus(folder, PLAN).stage(stage), learner.tokenizer, PLAN, stage)))
        ends.append(learner.model.state_dict()[head].clone())
        learner.next_stage()
    assert not torch.equal(ends[1], ends[2])
    torch.testing.assert_close(learner.average.state_dict()[head], (ends[1] + ends[2]) / 2)
    restored = Learner(PLAN, tmp_path, compiled=False)
    assert torch.equal(restored.average.state_dict()[head], learner.average.state_dict()[head])


def test_the_learning_rate_falls_to_0_at_each_end() -> None:
    plan = Plan(passes=2, cycles=2, cycle_passes=2, learning_rate=1e-3, cycle_rate=5e-4)
    assert [stage for stage in range(7) if plan.is_end(stage)] == [2, 4, 6]
    rates = [plan.rate(stage, share) for stage in range(7) for share in (0.0, 0.5, 0.999)]
    assert max(rates) == plan.rate(0, 0.5) < 1e-3
    assert plan.rate(3, 0.0) == plan.rate(5, 0.0) == 5e-4
    assert plan.rate(4, 0.0) == 2.5e-4
    assert all(0 < plan.rate(end, 0.999) < 1e-6 for end in (2, 4, 6))


def test_a_checkpoint_of_another_plan_is_not_gone_on_from(folder: Path, tmp_path: Path) -> None:
    Learner(PLAN, tmp_path, compiled=False).next_stage()
    with pytest.raises(ValueError, match="belongs to another plan"):
        train(folder, tmp_path, replace(PLAN, seed=2), compiled=False)


def test_a_stage_is_the_same_each_time(folder: Path) -> None:
    assert Corpus(folder, PLAN).stage(1) == Corpus(folder, PLAN).stage(1)
    assert Corpus(folder, PLAN).stage(1) != Corpus(folder, replace(PLAN, seed=2)).stage(1)
