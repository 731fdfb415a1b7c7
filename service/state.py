"""What the running service holds: models and the newest generation of the index, and the threads that use them."""

import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from index import build
from index.build import Change
from index.embedding import Embedder, EmbedderError
from index.retrieval import Retriever
from index.store import Listing, MissingStoreError, Store, StoreError
from index.writing import is_being_written
from service import confidence, suggestions
from service.answering import Answerer
from service.metrics import Metrics
from service.pool import Pool
from service.problems import ProblemError
from service.reader import ReaderError
from service.settings import Settings

log = logging.getLogger(__name__)
LOOK_AGAIN = 0.5  # seconds, until there is an index, or a new generation of it
PATIENCE = 10.0  # seconds that a change waits for another process that writes
LOADING = ("loading", "Models and index are still loading; try again in a moment.")
BUILDING = ("index-building", "The documents are being indexed; questions can be asked as soon as that is done.")


class Serving:
    """One generation of the index, open until nobody uses it any more."""

    def __init__(self, answerer: Answerer) -> None:
        self.answerer = answerer
        self.listing: list[Listing] = answerer.retriever.store.listing()  # it does not change: found once
        meta = answerer.retriever.meta
        self.generation = (meta.generation, meta.fingerprint)
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


class State:
    """Loads in the background, so that health checks answer from the first moment, and keeps up with the index."""

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.draining = False
        self.pool = Pool(settings.workers, settings.queue)
        self.writers = Pool(1, settings.queue)
        self._embedder = embedder
        self._serving: Serving | None = None
        self._waiting = LOADING
        self._failure: str | None = None
        self._told: str | None = None
        self._settled: tuple[int, str] | None = None
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._closing = threading.Event()
        self._loader = threading.Thread(target=self._keep_up, name="attest-load", daemon=True)

    def start(self) -> None:
        self._loader.start()

    def close(self) -> None:
        self._closing.set()
        self.writers.close()
        self.pool.close()
        self._serve(None)

    def take(self) -> Serving:
        """The newest generation, to be given back. Raises ProblemError 503 until there is one."""
        with self._lock:
            if self._serving:
                self._serving.take()
                return self._serving
        if self._failure:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "index-unavailable", self._failure)
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, *self._waiting, headers={"Retry-After": "2"})

    def add(self, files: Sequence[tuple[str, bytes]]) -> Change:
        """Add documents and serve them. Raises as `build.add`."""
        change = build.add(self.settings.index, files, self._embedder, PATIENCE)
        self._bring_up_to_date()
        return change

    def remove(self, document_id: str) -> Change:
        """Remove a document and serve the others. Raises as `build.remove`."""
        change = build.remove(self.settings.index, [document_id], self._embedder, PATIENCE)
        self._bring_up_to_date()
        return change

    def _keep_up(self) -> None:
        """Open the index, and then each new generation, whoever makes it."""
        while not self._closing.is_set():
            try:
                self._bring_up_to_date()
            except (StoreError, EmbedderError, ReaderError) as error:
                if not self._may_come(error):
                    return
            except Exception:
                self._failure = "Models or index could not be loaded; the log says why."
                log.exception("models or index could not be loaded")
                return
            self._closing.wait(LOOK_AGAIN)
            self._suggest()

    def _suggest(self) -> None:
        """Find the questions to begin with for what is served, once it has been served for a while."""
        with suppress(ProblemError):
            serving = self.take()
            try:
                if serving.generation == self._settled and not suggestions.are_current(serving.answerer):
                    suggestions.renew(serving.answerer)
            except (OSError, StoreError) as error:
                log.warning("No questions to begin with are offered: %s", error)
            finally:
                self._settled = serving.generation
                serving.give_back()

    def _may_come(self, error: Exception) -> bool:
        """Whether an index that cannot be opened now may be there later."""
        if self._serving:  # it goes on with what it has
            if self._told != str(error):
                log.error("%s", error)
            self._told = str(error)
        elif is_being_written(self.settings.index):
            self._waiting = BUILDING
        elif isinstance(error, MissingStoreError):
            self._waiting = ("nothing-indexed", str(error))
        else:
            self._failure = str(error)
            log.error("%s", error)
            return False
        return True

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
            found = Serving(answerer)
            try:
                answerer.warm_up()
            except BaseException:
                found.give_back()
                raise
            self._serve(found)

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
            unused.give_back()


def state_of(request: Request) -> State:
    state: State = request.app.state.attest
    return state


StateOf = Annotated[State, Depends(state_of)]


async def serving(state: StateOf) -> AsyncIterator[Serving]:
    """One generation from the start of a request to its end."""
    found = state.take()
    try:
        yield found
    finally:
        found.give_back()


ServingOf = Annotated[Serving, Depends(serving)]
