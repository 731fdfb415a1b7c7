"""A small, bounded pool of threads for model work, so that the event loop stays free."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from service.problems import ProblemError

P = ParamSpec("P")
T = TypeVar("T")


class OverloadedError(ProblemError):
    """Every place is taken."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "overloaded",
            "Too many requests are waiting; try again in a moment.",
            headers={"Retry-After": "1"},
        )


class Pool:
    """Runs at most `workers` calls at once and lets `queue` more wait; refuses what comes beyond them."""

    def __init__(self, workers: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="attest-model")
        self._places, self._taken = workers + queue, 0
        self._lock = threading.Lock()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function on the pool. Raises ProblemError 503 if every place is taken."""
        with self.place() as place:
            return await place.run(function, *args, **kwargs)

    def place(self) -> "Place":
        """Take a place before the call is known, to be left by `with`. Raises ProblemError 503 if all are taken."""
        with self._lock:
            free = self._taken < self._places
            self._taken += free
        if not free:
            raise OverloadedError
        return Place(self._executor, self._free)

    def _free(self, _: object = None) -> None:
        with self._lock:
            self._taken -= 1

    @property
    def is_full(self) -> bool:
        """Whether a call would be refused."""
        return self._taken >= self._places

    @property
    def taken(self) -> int:
        """How many places are taken: by calls at work, and by those that wait or are to come."""
        return self._taken

    def close(self) -> None:
        """Begin no more calls. Those at work are not waited for: they may take long, and can be killed."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class Place:
    """A place in a pool, for one call after the other. It is free once it was left and the last one has ended."""

    def __init__(self, executor: ThreadPoolExecutor, free: Callable[[object], None]) -> None:
        self._executor, self._free = executor, free
        self._call: Future[Any] | None = None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function on the pool."""
        future = self._executor.submit(partial(function, *args, **kwargs))
        self._call = future
        try:
            return await asyncio.wrap_future(future)
        finally:
            del future  # else an error would hold what was given until the garbage is collected

    def __enter__(self) -> "Place":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        call, self._call = self._call, None
        if call:
            call.add_done_callback(self._free)  # at once, unless its caller has gone before it
        else:
            self._free(None)
