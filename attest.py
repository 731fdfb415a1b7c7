"""The front door: the command line. Each command imports what it needs when it runs."""

import json
import shlex
import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eval.run import Outcome
    from eval.sources import Source
    from index.embedding import Embedder
    from service.answering import Answerer

ABSTAINED = 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Verbatim, cited answers from a folder of documents.",
)
evaluation = typer.Typer(add_completion=False, rich_markup_mode=None)
app.add_typer(evaluation, name="eval")
out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)


def _option(field: str, *names: str) -> Any:
    """An option for a field of Settings, with its description, its default and its variable."""
    about = Settings.model_fields[field]
    default = about.default if about.default is not None else False
    return typer.Option(*names, envvar=f"ATTEST_{field.upper()}", help=about.description, show_default=str(default))


def _least(figure: str, words: str) -> Any:
    """An option that fails the evaluation below a figure."""
    variable = f"ATTEST_MIN_{figure.upper().replace('-', '_')}"
    return typer.Option(f"--min-{figure}", min=0, max=1, envvar=variable, help=f"fail below this {words}")


Index = Annotated[Path | None, _option("index", "--index")]
EmbedderName = Annotated[str | None, _option("embedder", "--embedder")]
ReaderName = Annotated[str | None, _option("reader", "--reader")]


def _progress(*columns: ProgressColumn) -> Progress:
    """A bar that goes when it is done, and is not shown where nobody looks."""
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _settings(**given: Any) -> Settings:
    """Read the settings once: options first, then variables, then defaults."""
    from pydantic import ValidationError

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        reasons = []
        for item in error.errors():
            name = f"ATTEST_{str(item['loc'][0]).upper()}: " if item["loc"] else ""
            reasons.append(name + item["msg"].removeprefix("Value error, "))
        raise _stop("; ".join(reasons), code=2) from None


def _stop(message: str, code: int = 1) -> typer.Exit:
    err.print(Text(message, style="red"), soft_wrap=True)
    return typer.Exit(code)


@app.command()
def index(
    folder: Annotated[
        Path,
        typer.Argument(help="the folder of documents: text, Markdown, HTML, PDF, DOCX", envvar="ATTEST_DOCUMENTS"),
    ] = Path("seeds"),
    index: Index = None,
    embedder: EmbedderName = None,
    dense: Annotated[
        Literal["auto", "exact", "ivf"] | None,
        typer.Option(
            envvar="ATTEST_DENSE",
            help="search all vectors, or only the nearest lists of an inverted index (ivf, from 64 on); auto: by size",
            show_default="as the index was built; auto for a new one",
        ),
    ] = None,
) -> None:
    """Read a folder of documents into the index; only what changed is embedded anew."""
    settings = _settings(index=index, embedder=embedder)
    from index import build
    from index.compiled import load_embedder
    from index.embedding import EmbedderError
    from index.store import StoreError

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with _progress(*columns) as bar:
            task = bar.add_task("reading", total=None)

            def watch(now: "build.Progress") -> None:
                rate = now.passages / (bar.tasks[task].elapsed or 1)
                words = f"files ({now.passages:,} passages embedded, {rate:,.0f} a second)"
                if now.is_read:
                    words = "building the search indexes"
                bar.update(task, description=words, completed=now.files, total=now.of_files)

            model = load_embedder(settings.embedder, settings.index)
            report = build.build(folder, settings.index, model, watch, dense, _warn)
    except (EmbedderError, StoreError, OSError) as error:
        raise _stop(str(error)) from None
    if report.set_aside:
        why = "was damaged" if ".damaged-" in report.set_aside.name else "was made by another version of Attest"
        err.print(
            f"The index {why}; it was set aside as {report.set_aside} and built anew.",
            style="yellow",
            soft_wrap=True,
        )
    for path, reason in report.unread:
        err.print(Text(f"not read: {path}: {reason}", style="yellow"), soft_wrap=True)
    if not report.documents:
        raise _stop(
            f"Nothing in {folder} could be indexed: it needs at least one file with sentences that is read. "
            "The index stays as it was."
        )
    offered = _suggested(settings, model)
    ignored = f", {report.ignored_files} left out by .attestignore" if report.ignored_files else ""
    beginnings = f", {offered} questions to begin with" if offered else ""
    changes = f"{report.changed_documents:,} read anew, {report.removed_documents:,} removed"
    out.print(
        f"{report.documents:,} documents, {report.passages:,} passages in {settings.index} "
        f"(generation {report.generation}), {report.seconds:.1f} s: {changes}, "
        f"{report.embedded_passages:,} passages embedded, {len(report.unread):,} files not read{ignored}{beginnings}. "
        f"Dense search: {report.dense}.",
        soft_wrap=True,
    )


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(help="files to add; one with the name of a document replaces it")],
    index: Index = None,
    embedder: EmbedderName = None,
) -> None:
    """Add files to the index by themselves, all of them or none; a running service answers from them at once."""
    settings = _settings(index=index, embedder=embedder)
    from index import build
    from index.compiled import load_embedder
    from index.documents import UnreadableFileError, read_bytes

    read, unread = [], []
    for path in files:
        try:
            read.append((path.name, read_bytes(path.name, path)))
        except UnreadableFileError as error:
            unread.append((str(path), str(error)))
    with _told():
        if unread:
            raise build.UnreadableFilesError(unread)
        model = load_embedder(settings.embedder, settings.index)
        change = build.add(settings.index, read, model, waiting=_warn)
    for listing in change.documents:
        out.print(f"{listing.ref.id}  {listing.ref.uri}  ({listing.passages:,} passages)", soft_wrap=True)
    _suggested(settings, model)
    changed = f"{len(change.documents):,} documents added to {settings.index} (generation {change.generation})."
    out.print(changed, soft_wrap=True)


@app.command("rm")
def remove(
    documents: Annotated[list[str], typer.Argument(help="documents to remove, by file name or id")],
    index: Index = None,
    embedder: EmbedderName = None,
) -> None:
    """Remove documents from the index, all of them or none; a running service forgets them at once.

    The next `attest index` brings those back whose files are still in the folder.
    """
    settings = _settings(index=index, embedder=embedder)
    from index import build
    from index.compiled import load_embedder
    from index.store import Store

    with _told():
        with Store.open(settings.index) as store:
            ids = {listing.ref.uri: listing.ref.id for listing in store.listing()}
        named = [ids.get(name, name) for name in documents]
        model = load_embedder(settings.embedder, settings.index)
        change = build.remove(settings.index, named, model, waiting=_warn)
    _suggested(settings, model)
    changed = f"{len(set(named)):,} documents removed from {settings.index} (generation {change.generation})."
    out.print(changed, soft_wrap=True)


@app.command("ls")
def list_documents(
    as_json: Annotated[bool, typer.Option("--json", envvar="ATTEST_JSON", help="print the list as JSON")] = False,
    index: Index = None,
) -> None:
    """List the documents of the index: id, file, passages, and whether each was added by itself."""
    settings = _settings(index=index)
    from index.store import Store

    with _told(), Store.open(settings.index) as store:
        listed = store.listing()
    if as_json:
        print(json.dumps([asdict(listing) for listing in listed], ensure_ascii=False, indent=2))
        return
    for listing in listed:
        added = "  added" if listing.added else ""
        out.print(f"{listing.ref.id}  {listing.ref.uri}  ({listing.passages:,} passages){added}", soft_wrap=True)


@app.command()
def verify(
    answer: Annotated[
        Path | None, typer.Argument(help="an answer, as --json prints it or POST /ask returns it; - for stdin")
    ] = None,
    index: Index = None,
) -> None:
    """Hold the whole index against its hashes, or an answer against its documents; exit code 1 if anything differs."""
    settings = _settings(index=index)
    from index import verification
    from index.store import Store
    from service.verification import AnswerError, verdicts

    wrong = 0
    with _told(), Store.open(settings.index) as store:
        if answer is None:
            for problem in verification.problems(store):
                wrong += 1
                err.print(Text(problem, style="red"), soft_wrap=True)
            documents, passages = store.counts()
            out.print(f"{documents:,} documents, {passages:,} passages: {wrong:,} problems.")
        else:
            try:
                given = json.loads(sys.stdin.read() if str(answer) == "-" else answer.read_bytes())
                found = list(verdicts(store, given))
            except (OSError, ValueError, AnswerError) as error:
                raise _stop(f"{answer} cannot be verified: {error}", code=2) from None
            for verdict in found:
                wrong += verdict.problem is not None
                words = f"{verdict.place}: {verdict.problem or 'it stands there'}: {verdict.quote[:80]!r}"
                out.print(Text(words, style="red" if verdict.problem else ""), soft_wrap=True)
            out.print(f"{len(found):,} quotes, {wrong:,} not as the documents have them.")
    if wrong:
        raise typer.Exit(1)


def _suggested(settings: Settings, model: "Embedder") -> int:
    """Find the questions to begin with for the index as it is now; how many there are."""
    from index.embedding import EmbedderError
    from index.store import StoreError
    from service import suggestions
    from service.reader import ReaderError

    try:
        return suggestions.bring_up_to_date(settings.index, model)
    except (EmbedderError, StoreError, ReaderError, OSError) as error:
        _warn(f"No questions to begin with are offered: {error}")
        return 0


def _warn(words: str) -> None:
    err.print(Text(words, style="yellow"), soft_wrap=True)


@contextmanager
def _told() -> "Iterator[None]":
    """Tell in words what went wrong with an index."""
    from index.build import UnreadableFilesError
    from index.embedding import EmbedderError
    from index.store import StoreError

    try:
        yield
    except UnreadableFilesError as error:
        for name, reason in error.unread:
            err.print(Text(f"not read: {name}: {reason}", style="yellow"), soft_wrap=True)
        raise _stop("Nothing was added.") from None
    except KeyError as error:
        raise _stop(f"There is no document with the name or id {error.args[0]!r}.", code=2) from None
    except (EmbedderError, StoreError, OSError) as error:
        raise _stop(str(error)) from None


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="a question in natural language")],
    as_json: Annotated[bool, typer.Option("--json", envvar="ATTEST_JSON", help="print the answer as JSON")] = False,
    top_k: Annotated[
        int, typer.Option(min=1, max=50, envvar="ATTEST_TOP_K", help="how many passages are retrieved and read")
    ] = 5,
    document: Annotated[
        list[str] | None,
        typer.Option(envvar="ATTEST_DOCUMENT", help="a document to search, by file name or id; repeatable"),
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            envvar="ATTEST_MIN_CONFIDENCE",
            help="the least confidence to answer with",
            show_default="the calibrated threshold",
        ),
    ] = None,
    index: Index = None,
    embedder: EmbedderName = None,
    reader: ReaderName = None,
) -> None:
    """Answer a question with a quote from the documents; exit code 3 when they do not answer it."""
    settings = _settings(index=index, embedder=embedder, reader=reader)
    from index.compiled import load_embedder
    from index.embedding import EmbedderError
    from index.retrieval import UnknownDocumentError
    from index.store import StoreError
    from service import terminal
    from service.answering import Answerer, QuestionError
    from service.reader import ReaderError

    try:
        model = load_embedder(settings.embedder, settings.index, threads=1)
        answerer = Answerer.open(settings.index, model, settings.reader)
        ids = {listing.ref.uri: listing.ref.id for listing in answerer.retriever.store.listing()} if document else {}
        among = [ids.get(name, name) for name in document or ()]
        answer = answerer.ask(question, top_k, among or None, min_confidence)
        least = answerer.threshold if min_confidence is None else min_confidence
        answerer.close()
    except UnknownDocumentError as error:
        raise _stop(
            f"There is no document with the name or id {error.args[0]!r} in {settings.index}.", code=2
        ) from None
    except QuestionError as error:
        raise _stop(str(error), code=2) from None
    except (StoreError, EmbedderError, ReaderError) as error:
        raise _stop(str(error)) from None
    if as_json:
        print(json.dumps(asdict(answer), ensure_ascii=False, indent=2))
    else:
        for warning in answer.warnings:
            err.print(Text(warning, style="yellow"), soft_wrap=True)
        terminal.show(answer, least, out)
    if answer.status == "abstained":
        raise typer.Exit(ABSTAINED)


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
    """Ask known questions and report how good the answers are; exit code 1 below a wished figure."""
    if context.invoked_subcommand:
        return
    settings = _settings(index=index, embedder=embedder, reader=reader)
    from eval import compare, report
    from eval.questions import QuestionsError
    from eval.run import run
    from eval.sources import source
    from index.compiled import load_embedder
    from index.embedding import EmbedderError
    from index.store import StoreError
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
    if (reading and not squad) or (squad and questions) or (comparing and (reading or target_precision or least)):
        raise _stop(
            "--setting reading needs --squad; --squad stands instead of --questions; --compare goes with none of "
            "--setting reading, --target-precision and --min-….",
            code=2,
        )
    try:
        model = load_embedder(settings.embedder, settings.index)
        with _progress(TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as bar:
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
                folder.mkdir(parents=True, exist_ok=True)  # it would be a pity to find out at the end
                bar.update(task, total=len(asked.questions))
                answerer = Answerer.open(asked.index, model, settings.reader)
                outcomes = run(answerer, asked.questions, setting, watch)
                answerer.close()
        made = report.Report.of(f"{asked.name}, {setting} setting" if squad else asked.name, outcomes)
        out.print(*report.tables(made))
        out.print(f"Every question with its answer: {report.write(made, folder)}", soft_wrap=True)
        refused = _promise(outcomes, target_precision, asked, answerer, made.made) if target_precision else None
    except (QuestionsError, StoreError, EmbedderError, ReaderError) as error:
        raise _stop(str(error)) from None
    except OSError as error:
        raise _stop(f"{error.filename} cannot be written: {error.strerror}" if error.filename else str(error)) from None
    if reasons := [*filter(None, [refused]), *report.below(made.figures, wished)]:
        raise _stop("; ".join(reasons))


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
    """Show what changed between two evaluations; exit code 1 if a question that was right is wrong now."""
    from eval import diff
    from eval.questions import QuestionsError

    try:
        found = diff.differences(diff.read(before), diff.read(after))
    except QuestionsError as error:
        raise _stop(str(error), code=2) from None
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


@app.command()
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
    """Measure what answers cost, on a corpus made for it: latency, throughput, cold start, memory, building."""
    from eval import bench, costs
    from index.embedding import EmbedderError
    from index.store import StoreError
    from service.reader import ReaderError

    try:
        folder.mkdir(parents=True, exist_ok=True)  # it would be a pity to find out at the end
        with _progress(TextColumn("{task.description}"), TimeElapsedColumn()) as bar:
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
    except (bench.BenchError, EmbedderError, StoreError, ReaderError) as error:
        raise _stop(str(error)) from None
    except OSError as error:
        raise _stop(f"{error.filename} cannot be written: {error.strerror}" if error.filename else str(error)) from None


@app.command()
def serve(
    host: Annotated[str | None, _option("host", "--host")] = None,
    port: Annotated[int | None, _option("port", "--port")] = None,
    index: Index = None,
    embedder: EmbedderName = None,
    reader: ReaderName = None,
    workers: Annotated[int | None, _option("workers", "--workers")] = None,
    queue: Annotated[int | None, _option("queue", "--queue")] = None,
    remembered: Annotated[int | None, _option("remembered", "--remembered")] = None,
    drain: Annotated[float | None, _option("drain", "--drain")] = None,
    log: Annotated[Literal["text", "json"] | None, _option("log", "--log")] = None,
    log_questions: Annotated[bool | None, _option("log_questions", "--log-questions")] = None,
) -> None:
    """Serve the chat page and the HTTP interface."""
    settings = _settings(
        host=host,
        port=port,
        index=index,
        embedder=embedder,
        reader=reader,
        workers=workers,
        queue=queue,
        remembered=remembered,
        drain=drain,
        log=log,
        log_questions=log_questions,
    )
    from index.compiled import load_embedder
    from index.embedding import EmbedderError
    from index.retrieval import check
    from index.store import MissingStoreError, StoreError
    from service import serving
    from service.app import create_app
    from service.reader import SHIPPED_READER, ReaderError
    from service.reader.model import check_weights

    serving.log_as(settings.log, err)
    model = load_embedder(settings.embedder, settings.index, threads=1)
    try:
        try:
            check(settings.index, model)
        except MissingStoreError as error:
            err.print(Text(f"{error}\nThe page waits for it.", style="yellow"), soft_wrap=True)
        if settings.reader == SHIPPED_READER:
            check_weights()
    except (StoreError, EmbedderError, ReaderError) as error:
        raise _stop(str(error)) from None
    try:
        listener = serving.listener(settings.host, settings.port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise _stop(
            f"Cannot listen on {settings.host} port {settings.port}: {reason}. "
            "Choose another with --port or ATTEST_PORT."
        ) from None
    host_name = f"[{settings.host}]" if ":" in settings.host else settings.host
    out.print(f"Attest is at http://{host_name}:{listener.getsockname()[1]}/ (open it in a browser; Ctrl+C stops it)")
    serving.Server(create_app(settings, model), settings.drain).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(app())
