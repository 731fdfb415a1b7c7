"""A small, bounded pool of threads for model work, so that the event loop stays free."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from service.problems import ProblemError

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Runs at most `workers` calls at once and lets `queue` more wait; refuses what comes beyond them."""

    def __init__(self, workers: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="attest-model")
        self._places, self._taken = workers + queue, 0
        self._lock = threading.Lock()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function on the pool. Raises ProblemError 503 if every place is taken."""
        if not self._take():
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "overloaded",
                "Too many questions are waiting; try again in a moment.",
                headers={"Retry-After": "1"},
            )
        future = self._executor.submit(partial(function, *args, **kwargs))
        future.add_done_callback(self._free)
        try:
            return await asyncio.wrap_future(future)
        finally:
            del future  # else an error would hold what was given until the garbage is collected

    def _take(self) -> bool:
        with self._lock:
            free = self._taken < self._places
            self._taken += free
            return free

    def _free(self, _: object) -> None:
        with self._lock:
            self._taken -= 1

    @property
    def taken(self) -> int:
        """How many calls are at work or wait."""
        return self._taken

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
