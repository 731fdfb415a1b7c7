"""The commands that measure: attest eval, eval diff and bench. Each imports what it needs when it runs."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from index.errors import in_words
from service.console import Commands, EmbedderName, Index, ReaderName, out, progress, settings_of, stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eval.run import Outcome
    from eval.sources import Source
    from service.answering import Answerer

evaluation = typer.Typer(cls=Commands, add_completion=False, rich_markup_mode=None)


def _least(figure: str, words: str) -> Any:
    """An option that fails the evaluation below a figure."""
    variable = f"ATTEST_MIN_{figure.upper().replace('-', '_')}"
    return typer.Option(f"--min-{figure}", min=0, max=1, envvar=variable, help=f"fail below this {words}")


@evaluation.callback(invoke_without_command=True)
def evaluate(
    context: typer.Context,
    questions: Annotated[
        Path | None,
        typer.Option(
            envvar="ATTEST_QUESTIONS",
            help="questions as JSON lines, or a CSV with the columns question, answer and, if wanted, document",
            show_default="those on the seeds",
        ),
    ] = None,
    squad: Annotated[
        Path | None,
        typer.Option(envvar="ATTEST_SQUAD", help="instead, data in SQuAD's form, with an index of its paragraphs"),
    ] = None,
    setting: Annotated[
        Literal["open", "reading"],
        typer.Option(
            envvar="ATTEST_SETTING",
            help="with --squad: open: the paragraph has to be found; reading: it is given",
        ),
    ] = "open",
    folder: Annotated[
        Path,
        typer.Option("--report", envvar="ATTEST_REPORT", help="the folder for report.html, report.json and run.jsonl"),
    ] = Path("reports"),
    target_precision: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=0.999,
            envvar="ATTEST_TARGET_PRECISION",
            help="fit, verify and store the threshold with which this share of the answers is right",
        ),
    ] = None,
    comparing: Annotated[
        bool, typer.Option("--compare", envvar="ATTEST_COMPARE", help="instead, compare kinds of search and readers")
    ] = False,
    index: Index = None,
    embedder: EmbedderName = None,
    reader: ReaderName = None,
    min_em: Annotated[float, _least("em", "exact match")] = 0.0,
    min_f1: Annotated[float, _least("f1", "token F1")] = 0.0,
    min_sentence_hit: Annotated[float, _least("sentence-hit", "sentence hit")] = 0.0,
    min_recall_at_5: Annotated[float, _least("recall-at-5", "recall@5 of the retrieval")] = 0.0,
    min_answered: Annotated[float, _least("answered", "share of answerable questions answered")] = 0.0,
    min_abstained: Annotated[float, _least("abstained", "share of unanswerable questions refused")] = 0.0,
) -> None:
    """Ask known questions and report how good the answers are.

    Exit code 1 below a wished figure.
    """
    if context.invoked_subcommand:
        return
    settings = settings_of(context, index=index, embedder=embedder, reader=reader)
    from eval import compare, report
    from eval.questions import QuestionsError
    from eval.run import run
    from eval.sources import source
    from index.compiled import load_embedder
    from index.embedding import EmbedderError
    from index.errors import StoreError
    from service.answering import Answerer
    from service.reader import ReaderError

    wished = {
        "exact match": min_em,
        "token F1": min_f1,
        "sentence hit": min_sentence_hit,
        "recall@5": min_recall_at_5,
        "answerable, answered": min_answered,
        "unanswerable, abstained": min_abstained,
    }
    reading, least = setting == "reading", any(wished.values())
    if reading and not squad:
        raise stop("--setting reading needs --squad.", code=2)
    if squad and questions:
        raise stop("--squad stands instead of --questions: give one of them.", code=2)
    if comparing and (reading or target_precision or least):
        raise stop("--compare goes with none of --setting reading, --target-precision and --min-….", code=2)
    try:
        model = load_embedder(settings.embedder, settings.index)
        with progress(TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as bar:
            task = bar.add_task("", total=None)

            def watch(done: int) -> None:
                bar.update(task, completed=done)

            with source(questions, squad, settings.index, model) as asked:
                if comparing:
                    found = compare.compare(asked.index, model, settings.reader, asked.questions, watch)
                    given = {"squad": squad, "questions": questions, "index": index, "embedder": embedder}
                    options = [f"--{name}={value}" for name, value in (given | {"reader": reader}).items() if value]
                    command = shlex.join(["attest", "eval", "--compare", *options])
                    out.print(compare.markdown(found, command, datetime.now(UTC).date()), soft_wrap=True)
                    return
                _make(folder)
                bar.update(task, total=len(asked.questions))
                answerer = Answerer.open(asked.index, model, settings.reader)
                outcomes = run(answerer, asked.questions, setting, watch)
                answerer.close()
        made = report.Report.of(f"{asked.name}, {setting} setting" if squad else asked.name, outcomes)
        out.print(*report.tables(made))
        out.print(f"Every question with its answer: {report.write(made, folder)}", soft_wrap=True)
        refused = _promise(outcomes, target_precision, asked, answerer, made.made) if target_precision else None
    except (QuestionsError, StoreError, EmbedderError, ReaderError, OSError) as error:
        raise stop(in_words(error)) from None
    if reasons := [*filter(None, [refused]), *report.below(made.figures, wished)]:
        raise stop("; ".join(reasons))


def _make(folder: Path) -> None:
    """Make the folder of a report and try to write in it: it would be a pity to find out at the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise stop(f"{folder} cannot be written: {reason}") from None


def _promise(
    outcomes: "Sequence[Outcome]", precision: float, asked: "Source", answerer: "Answerer", made: str
) -> str | None:
    """Fit a threshold and store it beside the index, if that is the user's own; otherwise say why it is refused."""
    from eval import risk
    from service import confidence

    try:
        promise = risk.control(outcomes, precision)
    except risk.RiskError as error:
        before = confidence.promised(asked.index, answerer.models) if asked.own else None
        return str(error) if before is None else f"{error} The threshold promised before, {before}, stays in force."
    out.print(f"Promised: {promise}.", soft_wrap=True)
    if asked.own:
        provenance = f"attest eval --target-precision {precision}, {asked.name}, {made}: {promise}"
        contents = answerer.retriever.meta.fingerprint
        confidence.promise(asked.index, promise.threshold, answerer.models, provenance, contents)
        out.print(f"From now on the index in {asked.index} answers with this threshold.", soft_wrap=True)
    return None


@evaluation.command("diff")
def compare_runs(
    before: Annotated[Path, typer.Argument(help="the folder of a report")],
    after: Annotated[Path, typer.Argument(help="the folder of a later one on the same questions")],
    exact: Annotated[
        bool, typer.Option("--exact", envvar="ATTEST_EXACT", help="fail if anything differs, not only if it is worse")
    ] = False,
) -> None:
    """Show what changed between two evaluations.

    Exit code 1 if a question that was right is wrong now.
    """
    from eval import diff
    from eval.questions import QuestionsError

    try:
        found = diff.differences(diff.read(before), diff.read(after))
    except QuestionsError as error:
        raise stop(str(error), code=2) from None
    if not found:
        out.print("No question is answered differently.")
        return
    for line in diff.lines(found):
        out.print(Text(line), soft_wrap=True)
    out.print(diff.table(found))
    better, worse = diff.facts(found)
    chance = diff.p_value(better, worse)
    out.print(f"Facts, more fixed than broken: {better}, the reverse: {worse}; p = {chance:.3f} (exact sign test)")
    if exact or any(difference.effect == "broken" for difference in found):
        raise typer.Exit(1)


def bench(
    passages: Annotated[
        list[int] | None,
        typer.Option(
            min=100, envvar="ATTEST_PASSAGES", help="about how many; repeatable", show_default="1000 and 10000"
        ),
    ] = None,
    vectors_only: Annotated[
        list[int] | None,
        typer.Option(
            min=1_000, envvar="ATTEST_VECTORS_ONLY", help="retrieval among so many vectors, without texts; repeatable"
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=10, envvar="ATTEST_SAMPLE", help="how many questions are asked for each figure")
    ] = 200,
    baseline: Annotated[
        bool, typer.Option("--baseline", envvar="ATTEST_BASELINE", help="measure the usual pipeline on torch as well")
    ] = False,
    folder: Annotated[
        Path, typer.Option("--report", envvar="ATTEST_REPORT", help="the folder for bench.json and bench.svg")
    ] = Path("reports"),
) -> None:
    """Measure what answers cost, on a corpus made for it.

    Latency, throughput, cold start, memory, building.
    """
    from eval import bench, costs
    from index.embedding import EmbedderError
    from index.errors import StoreError
    from service.reader import ReaderError

    _make(folder)
    try:
        with progress(TextColumn("{task.description}"), TimeElapsedColumn()) as bar:
            task = bar.add_task("")
            found = bench.bench(
                passages or [1_000, 10_000],
                vectors_only or [],
                sample,
                baseline,
                lambda words: bar.update(task, description=words),
            )
        for table in costs.tables(found):
            out.print(table)
        out.print(f"All figures: {costs.write(found, folder)}", soft_wrap=True)
    except (bench.BenchError, EmbedderError, StoreError, ReaderError, OSError) as error:
        raise stop(in_words(error)) from None
