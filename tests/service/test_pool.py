"""The pool: bounded, and the event loop stays free."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.pool import Pool
from service.problems import ProblemError

PATIENCE = 10  # seconds, before a test that waits gives up


@asynccontextmanager
async def _full(workers: int, queue: int) -> AsyncIterator[tuple[Pool, threading.Event, list["asyncio.Task[bool]"]]]:
    """A pool whose places are all taken by calls that wait for an event."""
    pool, release = Pool(workers, queue), threading.Event()
    tasks = [asyncio.create_task(pool.run(release.wait, PATIENCE)) for _ in range(workers + queue)]
    await asyncio.sleep(0)
    try:
        yield pool, release, tasks
    finally:
        release.set()
        pool.close()


@pytest.mark.parametrize(("workers", "queue"), [(1, 0), (1, 2), (2, 1)])
def test_workers_and_queue_run_and_one_more_is_refused(workers: int, queue: int) -> None:
    async def scene() -> None:
        async with _full(workers, queue) as (pool, release, tasks):
            with pytest.raises(ProblemError) as refused:
                await pool.run(int)
            assert refused.value.status == 503
            assert refused.value.kind == "overloaded"
            assert dict(refused.value.headers or {}) == {"Retry-After": "1"}
            release.set()
            assert await asyncio.gather(*tasks) == [True] * (workers + queue)
            assert await pool.run(len, "free again") == 10

    asyncio.run(scene())


def test_the_event_loop_stays_free_while_a_call_blocks() -> None:
    async def scene() -> None:
        async with _full(1, 0) as (_, release, (task,)):
            for _ in range(100):
                await asyncio.sleep(0)
            assert not task.done()
            release.set()
            assert await task is True

    asyncio.run(scene())


def test_no_more_calls_run_at_once_than_there_are_workers() -> None:
    async def scene() -> None:
        running, release = [threading.Event() for _ in range(3)], threading.Event()

        def call(number: int) -> bool:
            running[number].set()
            return release.wait(PATIENCE)

        pool = Pool(workers=2, queue=1)
        tasks = [asyncio.create_task(pool.run(call, number)) for number in range(3)]
        await asyncio.sleep(0)
        assert running[0].wait(PATIENCE)
        assert running[1].wait(PATIENCE)
        assert not running[2].wait(0.05)
        release.set()
        assert await asyncio.gather(*tasks) == [True, True, True]
        assert running[2].is_set()
        pool.close()

    asyncio.run(scene())


def test_calls_run_on_threads_of_their_own_name() -> None:
    async def scene() -> None:
        pool = Pool(1, 0)
        assert (await pool.run(lambda: threading.current_thread().name)).startswith("attest-model")
        pool.close()

    asyncio.run(scene())


def test_an_error_reaches_the_caller_and_frees_its_place() -> None:
    async def scene() -> None:
        pool = Pool(1, 0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await pool.run(divmod, 1, 0)
        pool.close()

    asyncio.run(scene())


def test_a_caller_who_leaves_the_queue_frees_the_place() -> None:
    async def scene() -> None:
        async with _full(1, 1) as (pool, release, (first, second)):
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            third = asyncio.create_task(pool.run(len, "abc"))
            await asyncio.sleep(0)
            release.set()
            assert (await first, await third) == (True, 3)

    asyncio.run(scene())


def test_a_closed_pool_drops_what_still_waits() -> None:
    async def scene() -> None:
        async with _full(1, 1) as (pool, release, (first, second)):
            closing = threading.Thread(target=pool.close)
            closing.start()
            with pytest.raises(asyncio.CancelledError):
                await second
            release.set()
            assert await first is True
            closing.join(PATIENCE)
            assert not closing.is_alive()

    asyncio.run(scene())


def test_a_place_is_taken_before_its_call_and_free_when_it_is_left_without_one() -> None:
    async def scene() -> None:
        pool = Pool(1, 0)
        with pool.place() as place:
            assert (pool.taken, pool.is_full) == (1, True)
            with pytest.raises(ProblemError):
                pool.place()
            assert await place.run(len, "abc") == 3
            assert pool.taken == 1
        assert (pool.taken, pool.is_full) == (0, False)
        with pytest.raises(KeyError), pool.place():
            raise KeyError
        assert pool.taken == 0
        pool.close()

    asyncio.run(scene())


def test_a_place_whose_caller_has_gone_is_taken_until_the_call_has_ended() -> None:
    async def scene() -> None:
        async with _full(1, 0) as (pool, release, (task,)):
            while not pool._executor._work_queue.empty():  # until it runs
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert pool.taken == 1
            pool.close()  # which does not wait for it
            assert pool.taken == 1
            release.set()
            async with asyncio.timeout(10):
                while pool.taken:  # until it has ended
                    await asyncio.sleep(0.001)

    asyncio.run(scene())
