"""What the running service holds: models and index, once they are loaded, and the threads that use them."""

import logging
import threading
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from index.build import is_building
from index.embedding import Embedder, EmbedderError
from index.store import Listing, MissingStoreError, StoreError
from service import confidence
from service.answering import Answerer
from service.pool import Pool
from service.problems import ProblemError
from service.reader import ReaderError
from service.settings import Settings

log = logging.getLogger(__name__)
LOOK_AGAIN = 0.5  # seconds, until there is an index
LOADING = ("loading", "Models and index are still loading; try again in a moment.")
BUILDING = ("index-building", "The documents are being indexed; questions can be asked as soon as that is done.")


class State:
    """Loads in the background, so that health checks answer from the first moment."""

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        self.settings = settings
        self._embedder = embedder
        self.pool = Pool(settings.workers, settings.queue)
        self.listing: list[Listing] = []  # the documents of the answerer, which do not change: found once
        self._answerer: Answerer | None = None
        self._waiting = LOADING
        self._failure: str | None = None
        self._closing = threading.Event()
        self._loader = threading.Thread(target=self._load, name="attest-load", daemon=True)

    def start(self) -> None:
        self._loader.start()

    def close(self) -> None:
        self._closing.set()
        self.pool.close()
        if self._answerer:
            self._answerer.close()

    @property
    def answerer(self) -> Answerer:
        """The loaded answerer. Raises ProblemError 503 until there is one."""
        if self._answerer:
            return self._answerer
        if self._failure:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "index-unavailable", self._failure)
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            *self._waiting,
            headers={"Retry-After": "2"},
        )

    def _load(self) -> None:
        try:
            answerer = self._opened()
            if not answerer:
                return
            self._waiting = LOADING
            if confidence.is_outdated(self.settings.index, answerer.models, answerer.retriever.meta.fingerprint):
                log.warning("The threshold of %s was fitted for other contents; fit it anew", self.settings.index)
            answerer.warm_up()
            self.listing = answerer.retriever.store.listing()
            if self._closing.is_set():
                answerer.close()
            else:
                self._answerer = answerer
        except (StoreError, EmbedderError, ReaderError) as error:
            self._failure = str(error)
            log.error("%s", error)  # noqa: TRY400 - its message is meant for people, a traceback is not
        except Exception:
            self._failure = "Models or index could not be loaded; the log says why."
            log.exception("models or index could not be loaded")

    def _opened(self) -> Answerer | None:
        """Open the index once it is there; None if the service closes before. Raises StoreError for a damaged one."""
        index = self.settings.index
        while not self._closing.is_set():
            try:
                return Answerer.open(index, self._embedder, self.settings.reader, remembered=self.settings.remembered)
            except StoreError as error:
                if is_building(index):
                    self._waiting = BUILDING
                elif isinstance(error, MissingStoreError):
                    self._waiting = ("nothing-indexed", str(error))
                else:
                    raise
                self._closing.wait(LOOK_AGAIN)
        return None


def state_of(request: Request) -> State:
    state: State = request.app.state.attest
    return state


StateOf = Annotated[State, Depends(state_of)]
