"""What the running service holds: models and the newest generation of the index, and the threads that use them."""

import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request

from index import build
from index.build import Change
from index.embedding import Embedder, EmbedderError
from index.errors import MissingStoreError, StoreError
from index.retrieval import Retriever
from index.store import FILE_NAME, Listing, Store
from index.writing import fold, is_being_written
from service import confidence, suggestions
from service.answering import Answer, Answerer
from service.metrics import Metrics
from service.pool import Place, Pool
from service.problems import ProblemError
from service.reader import ReaderError
from service.settings import Settings

log = logging.getLogger(__name__)
LOOK_AGAIN = 0.5  # seconds, until there is an index, or a new generation of it
WRITERS = 16  # changes that wait, each with its files on the disk or, of one that replaces, in memory
AFTER_FAILURE = 5.0  # seconds until an index that cannot be used is looked at again
PATIENCE = 10.0  # seconds that a change waits for another process that writes
LOADED_SOON = 5.0  # seconds that the end waits for what is done beside the requests
LONG_LOG = 4_000_000  # bytes of the index's log, beyond which it is to be folded
FOLDED_SOON = 2.0  # seconds that a change then waits for the questions before it
LOADING = ("loading", "Models and index are still loading; try again in a moment.")
BUILDING = ("index-building", "The documents are being indexed; questions can be asked as soon as that is done.")


class Serving:
    """One generation of the index, open until nobody uses it any more."""

    def __init__(self, answerer: Answerer) -> None:
        self.answerer = answerer
        self.listing: list[Listing] = answerer.retriever.store.listing()  # it does not change: found once
        meta = answerer.retriever.meta
        self.generation = (meta.generation, meta.fingerprint)
        self.unused = threading.Event()
        self._users = 1
        self._lock = threading.Lock()

    def take(self) -> None:
        with self._lock:
            self._users += 1

    def give_back(self) -> None:
        with self._lock:
            self._users -= 1
            unused = not self._users
        if unused:
            self.answerer.close()
            self.unused.set()


class State:
    """Loads in the background, so that health checks answer from the first moment, and keeps up with the index."""

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.draining = False
        self.folded = 0  # the generation up to which the index's log is in its file
        self.pool = Pool(settings.workers, settings.queue)
        self.writers = Pool(1, WRITERS)
        self.downloads = Pool(settings.workers, settings.queue)
        self._embedder = embedder
        self._serving: Serving | None = None
        self._superseded: list[Serving] = []  # and perhaps still used
        self._waiting = LOADING
        self._failure: str | None = None
        self._told: str | None = None
        self._lock, self._opening, self._writing = threading.Lock(), threading.Lock(), threading.Lock()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_up, name="attest-load", daemon=True),
            threading.Thread(target=self._keep_suggesting, name="attest-suggest", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closing.set()
        until = time.monotonic() + LOADED_SOON
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        self.writers.close()
        self.pool.close()
        self.downloads.close()
        self._serve(None)

    def take(self) -> Serving:
        """The newest generation, to be given back. Raises ProblemError 503 until there is one."""
        with self._lock:
            if self._serving:
                self._serving.take()
                return self._serving
        if self._failure:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "index-unavailable", self._failure, headers={"Retry-After": "5"}
            )
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, *self._waiting, headers={"Retry-After": "2"})

    async def ask(self, serving: Serving, http: Request, question: str, **how: Any) -> Answer:
        """Answer on the pool and count it. Raises as `Answerer.ask`, which takes the rest, and ProblemError 503."""
        if self.settings.log_questions:
            http.state.question = question
        answer = await self.pool.run(serving.answerer.ask, question, **how)
        self.metrics.answer(answer)
        return answer

    @contextmanager
    def taken(self) -> Iterator[Serving]:
        """The newest generation while the block lasts. Raises ProblemError 503 until there is one."""
        serving = self.take()
        try:
            yield serving
        finally:
            serving.give_back()

    def add(self, files: Sequence[tuple[str, bytes]]) -> Change:
        """Add documents and serve them. Raises as `build.add`."""
        with self._writing:
            change = build.add(self.settings.index, files, self._embedder, PATIENCE)
        self._serve_changed()
        return change

    def replace(self, uri: str, data: bytes) -> Change:
        """Replace the document of this name and serve it. Raises as `build.add`."""
        with self._writing:
            change = build.add(self.settings.index, [(uri, data)], self._embedder, PATIENCE, must_exist=True)
        self._serve_changed()
        return change

    def remove(self, document_id: str) -> Change:
        """Remove a document and serve the others. Raises as `build.remove`."""
        with self._writing:
            change = build.remove(self.settings.index, [document_id], self._embedder, PATIENCE)
        self._serve_changed()
        return change

    def _serve_changed(self) -> None:
        """Serve what was changed. Raises ProblemError 503 if that fails, though the change is made."""
        try:
            self._bring_up_to_date()
        except (StoreError, EmbedderError, ReaderError) as error:
            detail = f"The change is on the disk, but not served yet: {error}"
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "not-served-yet", detail, headers={"Retry-After": "5"}
            ) from error
        self._wait_for_readers()
        self._fold()

    def _wait_for_readers(self) -> None:
        """Once the log is long, let changes wait for a while until no question reads an older generation."""
        log = self.settings.index / f"{FILE_NAME}-wal"
        if not log.exists() or log.stat().st_size < LONG_LOG:
            return
        until = time.monotonic() + FOLDED_SOON
        for each in list(self._superseded):
            each.unused.wait(max(0.0, until - time.monotonic()))

    def _fold(self) -> None:
        """Keep the index's log from growing, once what was served before is used no more."""
        served = self._serving
        if not served or self.folded == served.generation[0]:
            return
        with suppress(ProblemError), self._writing, self.taken() as serving:
            if self.folded != serving.generation[0] and fold(serving.answerer.retriever.store):
                self.folded = serving.generation[0]

    def _keep_up(self) -> None:
        """Open the index, and then each new generation, whoever makes it."""
        while not self._closing.is_set():
            pause = LOOK_AGAIN
            try:
                self._bring_up_to_date()
                self._fold()
                self._told = None
            except (StoreError, EmbedderError, ReaderError) as error:
                pause = self._wait_for(error)
            except Exception as error:
                self._failure = "Models or index could not be loaded; the log says why."
                if self._told != repr(error):
                    log.exception("models or index could not be loaded")
                self._told, pause = repr(error), AFTER_FAILURE
            self._closing.wait(pause)

    def _wait_for(self, error: Exception) -> float:
        """Say what an index that cannot be opened is waited for, and how many seconds."""
        if not self._serving:
            if is_being_written(self.settings.index):
                self._waiting, self._failure = BUILDING, None
                return LOOK_AGAIN
            if isinstance(error, MissingStoreError):
                self._waiting, self._failure = ("nothing-indexed", str(error)), None
                return LOOK_AGAIN
            self._failure = str(error)
        if self._told != str(error):
            log.error("%s", error)
        self._told = str(error)
        return AFTER_FAILURE

    def _keep_suggesting(self) -> None:
        """Find the questions to begin with for each generation, once it has been served for a while."""
        seen: tuple[int, str] | None = None
        settled: tuple[int, str] | None = None
        while not self._closing.wait(LOOK_AGAIN):
            with suppress(ProblemError), self.taken() as serving:
                is_new, seen = serving.generation != seen, serving.generation
                if is_new or settled == seen:
                    continue
                settled = seen
                try:
                    if not suggestions.are_current(serving.answerer):
                        suggestions.renew(serving.answerer)
                except (OSError, StoreError) as error:
                    log.warning("No questions to begin with are offered: %s", error)
                except Exception:
                    log.exception("no questions to begin with could be found")

    def _bring_up_to_date(self) -> None:
        """Open the newest generation, unless it is being served. Raises StoreError, EmbedderError and ReaderError."""
        index = self.settings.index
        with self._opening:
            served = self._serving
            if served and Store.generation(index) in (served.generation, None):
                return
            if served:
                answerer = served.answerer.on(Retriever.open(index, self._embedder))
            else:
                answerer = Answerer.open(
                    index, self._embedder, self.settings.reader, remembered=self.settings.remembered
                )
                self._waiting = LOADING
            if not served and confidence.is_outdated(index, answerer.models, answerer.retriever.meta.fingerprint):
                log.warning("The threshold of %s was fitted for other contents; fit it anew", index)
            if answerer.retriever.is_rebuilt:
                self.metrics.rebuilt()
            found = Serving(answerer)
            try:
                answerer.warm_up()
            except BaseException:
                found.give_back()
                raise
            self._serve(found)
            self._failure = None

    def _serve(self, serving: Serving | None) -> None:
        """From now on, new requests get this one."""
        with self._lock:
            unused, self._serving = self._serving, serving
            if self._closing.is_set() and serving:
                unused, self._serving = serving, None
            served = self._serving
        if not served:
            self.metrics.serves(0, 0, 0)
        elif served is not unused:
            self.metrics.serves(
                served.generation[0], len(served.listing), sum(each.passages for each in served.listing)
            )
        if unused:
            self._superseded = [each for each in (*self._superseded, unused) if not each.unused.is_set()]
            unused.give_back()


async def state_of(request: Request) -> State:
    state: State = request.app.state.attest
    return state


StateOf = Annotated[State, Depends(state_of)]


async def serving(state: StateOf) -> AsyncIterator[Serving]:
    """One generation from the start of a request until its answer is made, however long its client takes it."""
    with state.taken() as found:
        yield found


async def download(state: StateOf) -> AsyncIterator[Place]:
    """A place for an answer that may be large, until it is sent."""
    with state.downloads.place() as place:
        yield place


ServingOf = Annotated[Serving, Depends(serving, scope="function")]
Download = Annotated[Place, Depends(download)]
