"""The front door: the command line. Each command imports what it needs when it runs."""

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from eval.command import bench, evaluation
from index.errors import in_words
from service.console import (
    Commands,
    EmbedderName,
    Index,
    ReaderName,
    counted,
    err,
    option,
    out,
    progress,
    settings_of,
    stop,
    visible,
)
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from index.batch import Progress
    from index.embedding import Embedder
    from index.store import Listing

ABSTAINED = 3

app = typer.Typer(
    cls=Commands, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.add_typer(evaluation, name="eval")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"attest {version('attest-qa')}")
        raise typer.Exit


@app.callback()
def attest(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Verbatim, cited answers from a folder of documents."""


@app.command()
def index(
    context: typer.Context,
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
    """Read a folder of documents into the index.

    Only what changed is embedded anew.
    """
    settings = settings_of(context, index=index, embedder=embedder)
    from index import build
    from index.compiled import load_embedder
    from index.embedding import EmbedderError
    from index.errors import StoreError

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with progress(*columns) as bar:
            task = bar.add_task("reading", total=None)

            def watch(now: "Progress") -> None:
                rate = now.passages / (bar.tasks[task].elapsed or 1)
                words = f"files ({counted(now.passages, 'passage')} embedded, {rate:,.0f} a second)"
                if now.is_read:
                    words = "building the search indexes"
                bar.update(task, description=words, completed=now.files, total=now.of_files)

            model = load_embedder(settings.embedder, settings.index)
            report = build.build(folder, settings.index, model, watch, dense, _warn)
    except (EmbedderError, StoreError, OSError) as error:
        raise stop(in_words(error)) from None
    if report.set_aside:
        why = "was damaged" if ".damaged-" in report.set_aside.name else "was made by another version of Attest"
        _warn(f"The index {why}; it was set aside as {report.set_aside} and built anew.")
    for path, reason in report.unread:
        _warn(f"not read: {path}: {reason}")
    if not report.documents:
        raise stop(
            f"Nothing in {folder} could be indexed: it needs at least one file with sentences that is read. "
            "The index stays as it was."
        )
    offered = _suggested(settings, model)
    ignored = f", {report.ignored_files} left out by .attestignore" if report.ignored_files else ""
    beginnings = f", {counted(offered, 'question')} to begin with" if offered else ""
    changes = f"{report.changed_documents:,} read anew, {report.removed_documents:,} removed"
    out.print(
        f"{counted(report.documents, 'document')}, {counted(report.passages, 'passage')} in {settings.index} "
        f"(generation {report.generation}), {report.seconds:.1f} s: {changes}, "
        f"{counted(report.embedded_passages, 'passage')} embedded, {counted(len(report.unread), 'file')} not read"
        f"{ignored}{beginnings}. "
        f"Dense search: {report.dense}.",
        soft_wrap=True,
    )


@app.command()
def add(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="files to add; one with the name of a document replaces it")],
    index: Index = None,
    embedder: EmbedderName = None,
) -> None:
    """Add files to the index by themselves.

    All of them or none; a running service answers from them within a second or so.
    """
    settings = settings_of(context, index=index, embedder=embedder)
    from index import build
    from index.compiled import load_embedder
    from index.documents import UnreadableFileError, read_bytes

    read, unread = [], []
    for path in files:
        try:
            if not (path.exists() or path.is_symlink()):
                raise UnreadableFileError("there is no such file")
            if path.is_dir():
                raise UnreadableFileError("a folder; its files can be named, or all of it read with: attest index")
            read.append((path.name, read_bytes(path.name, path)))
        except UnreadableFileError as error:
            unread.append((str(path), str(error)))
    with _told():
        if unread:
            raise build.UnreadableFilesError(unread)
        model = load_embedder(settings.embedder, settings.index)
        change = build.add(settings.index, read, model, waiting=_warn)
    for listing in change.documents:
        out.print(_line(listing), soft_wrap=True)
    _suggested(settings, model)
    added = counted(len(change.documents), "document")
    out.print(f"{added} added to {settings.index} (generation {change.generation}).", soft_wrap=True)


@app.command("rm")
def remove(
    context: typer.Context,
    documents: Annotated[list[str], typer.Argument(help="documents to remove, by file name or id")],
    index: Index = None,
    embedder: EmbedderName = None,
) -> None:
    """Remove documents from the index.

    All of them or none; a running service forgets them within a second or so. The next `attest index` brings those back
    whose files are still in the folder.
    """
    settings = settings_of(context, index=index, embedder=embedder)
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
    removed = counted(len(set(named)), "document")
    out.print(f"{removed} removed from {settings.index} (generation {change.generation}).", soft_wrap=True)


@app.command("ls")
def list_documents(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", envvar="ATTEST_JSON", help="print the list as JSON")] = False,
    index: Index = None,
) -> None:
    """List the documents of the index.

    Of each: id, file, passages, and whether it was added by itself.
    """
    settings = settings_of(context, index=index)
    from index.store import Store

    with _told(), Store.open(settings.index) as store:
        listed = store.listing()
    if as_json:
        print(json.dumps([asdict(listing) for listing in listed], ensure_ascii=False, indent=2))
        return
    for listing in listed:
        out.print(_line(listing) + ("  added" if listing.added else ""), soft_wrap=True)


def _line(listing: "Listing") -> str:
    return f"{listing.ref.id}  {visible(listing.ref.uri)}  ({counted(listing.passages, 'passage')})"


@app.command()
def verify(
    context: typer.Context,
    answer: Annotated[
        Path | None, typer.Argument(help="an answer, as --json prints it or POST /ask returns it; - for stdin")
    ] = None,
    index: Index = None,
) -> None:
    """Hold the index against its hashes, or an answer against the index.

    Exit code 1 if anything differs.
    """
    settings = settings_of(context, index=index)
    from index import verification
    from index.store import Store
    from service.verification import AnswerError, verdicts

    wrong = 0
    with _told(), Store.open(settings.index) as store:
        if answer is None:
            for problem in verification.problems(store):
                wrong += 1
                err.print(Text(visible(problem), style="red"), soft_wrap=True)
            documents, passages = store.counts()
            held = f"{counted(documents, 'document')}, {counted(passages, 'passage')}"
            out.print(f"{held}: {counted(wrong, 'problem')}.", soft_wrap=True)
        else:
            try:
                found = list(verdicts(store, _json(answer)))
            except AnswerError as error:
                raise stop(f"{answer} cannot be verified: {error}", code=2) from None
            for verdict in found:
                wrong += verdict.problem is not None
                words = f"{verdict.place}: {verdict.problem or 'it stands there'}: {verdict.quote[:80]!r}"
                out.print(Text(words, style="red" if verdict.problem else ""), soft_wrap=True)
            out.print(f"{counted(len(found), 'quote')}, {wrong:,} not as the documents have them.")
    if wrong:
        raise typer.Exit(1)


def _json(path: Path) -> Any:
    """What a file, or stdin for -, holds as JSON."""
    try:
        return json.loads(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise stop(f"{path} cannot be read: {error.strerror}", code=2) from None
    except (ValueError, RecursionError) as error:
        raise stop(f"{path} cannot be verified: it is not JSON ({error})", code=2) from None


def _suggested(settings: Settings, model: "Embedder") -> int:
    """Find the questions to begin with for the index as it is now; how many there are."""
    from index.embedding import EmbedderError
    from index.errors import StoreError
    from service import suggestions
    from service.reader import ReaderError

    try:
        return suggestions.bring_up_to_date(settings.index, model)
    except (EmbedderError, StoreError, ReaderError, OSError) as error:
        _warn(f"No questions to begin with are offered: {in_words(error)}")
        return 0


def _warn(words: str) -> None:
    err.print(Text(visible(words), style="yellow"), soft_wrap=True)


@contextmanager
def _told() -> "Iterator[None]":
    """Tell in words what went wrong with an index."""
    from index.build import UnreadableFilesError
    from index.embedding import EmbedderError
    from index.errors import StoreError

    try:
        yield
    except UnreadableFilesError as error:
        for name, reason in error.unread:
            _warn(f"not read: {name}: {reason}")
        raise stop("Nothing was added.") from None
    except KeyError as error:
        raise stop(f"There is no document with the name or id {error.args[0]!r}.", code=2) from None
    except (EmbedderError, StoreError, OSError) as error:
        raise stop(in_words(error)) from None


@app.command()
def ask(
    context: typer.Context,
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
    """Answer a question with a quote from the documents.

    Exit code 3 when they do not answer it.
    """
    settings = settings_of(context, index=index, embedder=embedder, reader=reader)
    from index.compiled import load_embedder
    from index.embedding import EmbedderError
    from index.errors import StoreError
    from index.retrieval import UnknownDocumentError
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
        raise stop(f"There is no document with the name or id {error.args[0]!r} in {settings.index}.", code=2) from None
    except QuestionError as error:
        raise stop(str(error), code=2) from None
    except (StoreError, EmbedderError, ReaderError, OSError) as error:
        raise stop(in_words(error)) from None
    if as_json:
        print(json.dumps(asdict(answer), ensure_ascii=False, indent=2))
    else:
        for warning in answer.warnings:
            _warn(warning)
        terminal.show(answer, least, out)
    if answer.status == "abstained":
        raise typer.Exit(ABSTAINED)


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[str | None, option("host", "--host")] = None,
    port: Annotated[int | None, option("port", "--port")] = None,
    index: Index = None,
    embedder: EmbedderName = None,
    reader: ReaderName = None,
    hosts: Annotated[str | None, option("hosts", "--hosts")] = None,
    workers: Annotated[int | None, option("workers", "--workers")] = None,
    queue: Annotated[int | None, option("queue", "--queue")] = None,
    remembered: Annotated[int | None, option("remembered", "--remembered")] = None,
    drain: Annotated[float | None, option("drain", "--drain")] = None,
    log: Annotated[Literal["text", "json"] | None, option("log", "--log")] = None,
    log_questions: Annotated[bool | None, option("log_questions", "--log-questions")] = None,
) -> None:
    """Serve the chat page and the HTTP interface."""
    settings = settings_of(
        context,
        host=host,
        port=port,
        index=index,
        embedder=embedder,
        reader=reader,
        hosts=hosts,
        workers=workers,
        queue=queue,
        remembered=remembered,
        drain=drain,
        log=log,
        log_questions=log_questions,
    )
    from index.compiled import load_embedder
    from index.embedding import EmbedderError
    from index.errors import MissingStoreError, StoreError
    from index.retrieval import check
    from service import serving
    from service.app import create_app
    from service.reader import SHIPPED_READER, ReaderError
    from service.reader.model import check_weights
    from service.settings import ExposedError, check_guarded

    try:
        check_guarded(settings)
    except ExposedError as error:
        raise stop(str(error), code=2) from None

    serving.log_as(settings.log, err)
    model = load_embedder(settings.embedder, settings.index, threads=1)
    try:
        try:
            check(settings.index, model)
        except MissingStoreError as error:
            _warn(f"{error}\nThe page waits for it.")
        if settings.reader == SHIPPED_READER:
            check_weights()
    except (StoreError, EmbedderError, ReaderError, OSError) as error:
        raise stop(in_words(error)) from None
    try:
        listener = serving.listener(settings.host, settings.port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise stop(
            f"Cannot listen on {settings.host} port {settings.port}: {reason}. "
            "Choose another with --port or ATTEST_PORT."
        ) from None
    host_name = f"[{settings.host}]" if ":" in settings.host else settings.host
    out.print(f"Attest is at http://{host_name}:{listener.getsockname()[1]}/ (open it in a browser; Ctrl+C stops it)")
    server = serving.Server(create_app(settings, model), settings.drain)
    server.run(sockets=[listener])
    sys.stdout.flush()
    os._exit(0 if server.started else 1)  # what libraries still do in threads of their own is not waited for


app.command()(bench)


if __name__ == "__main__":
    sys.exit(app())
