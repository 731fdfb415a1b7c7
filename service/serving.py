"""The server: what it logs, how long it waits for a client, and how it ends."""

import asyncio
import ctypes
import logging
import resource
import signal
import socket
import struct
import sys
from collections import deque
from contextlib import suppress
from types import FrameType
from typing import ClassVar

import h11
import uvicorn
from fastapi import FastAPI
from pythonjsonlogger.json import JsonFormatter
from rich.console import Console
from rich.logging import RichHandler
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACE = 60  # seconds for requests under way, once nobody new is let in
AT_THE_DOOR = 1.0  # seconds in which those who have connected by then are let in, and say what they want
SILENCE = 30.0  # seconds for a request's head to come, and for a client to take something of its answer
DESCRIPTORS = 16_384  # at most, of which connections take half: the others are for the index

AT_ONCE = 2  # connections and requests that are let in before the loop looks again for health checks
SWITCH = 0.0005  # seconds after which a thread of the pool gives the loop its turn
BACKLOG = 2_048  # connections that wait to be let in
_ATTACH_FILTER, _RETURN = 26, 6  # of Linux: SO_ATTACH_FILTER, and BPF_RET | BPF_K
_HEALTH = (b"GET /livez", b"GET /readyz")
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Server(uvicorn.Server):
    """Told to end by SIGTERM, it says on /readyz that it is not ready, and ends only after a while, with code 0.

    Whoever sends it requests has that long to see it. Requests that came in are answered to their end.
    """

    def __init__(self, app: FastAPI, drain: float) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            backlog=AT_ONCE,
            log_level="warning",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=GRACE,
        )
        super().__init__(config)
        self._app, self._drain = app, drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
            return
        state = getattr(self._app.state, "attest", None)  # none before it has started
        if not state or state.draining:
            self._end()
            return
        state.draining = True
        loop = asyncio.get_event_loop()
        loop.call_soon_threadsafe(loop.call_later, self._drain, self._end)  # the loop may be in the midst of its timers

    def _end(self) -> None:
        self.should_exit = True  # unlike uvicorn, which would kill itself with the same signal in the end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        allow_descriptors()
        sys.setswitchinterval(SWITCH)
        Connection.waiting.clear()  # of a server before it
        await super().startup(sockets)
        for door in sockets or []:
            door.listen(BACKLOG)  # asyncio has just said what it accepts at once

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let in those who have connected, close the door behind them, and answer them."""
        self._app.state.attest.draining = True
        for door in sockets or []:
            await self._let_in(door)
        for server in self.servers:
            server.close()
        await super().shutdown(sockets)

    async def _let_in(self, door: socket.socket) -> None:
        """Take over those who wait in a socket's queue: closing it would cut them off."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(door)
        let_nobody_in(door)
        await asyncio.sleep(0)  # asyncio's server has those whom it accepted
        until = loop.time() + AT_THE_DOOR
        while loop.time() < until:
            try:
                accepted, _ = door.accept()
            except OSError:  # nobody waits
                break
            accepted.setblocking(False)
            await loop.connect_accepted_socket(self._connection, accepted)

    def _connection(self) -> "Connection":
        return Connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


class Connection(H11Protocol):
    """A connection whose client is not waited for for ever, nor cut off while it may have sent a request.

    uvicorn itself waits as long as it takes for a request's head; and at its end it closes connections that it has not
    yet read from. Answers that nobody takes are given up by the socket, see `listener`. Of many requests that come
    together, only some begin before others are looked for, so that health checks need not wait for them all.
    """

    _head: asyncio.TimerHandle | None = None
    _has_said = False  # something that waits to be read
    _is_late = False  # with it
    waiting: ClassVar[deque[tuple["Connection", bytes]]] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head(SILENCE)
        if len(self.connections) > most_connections():
            transport.write(_FULL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head:
            self._head.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_under_way or data.startswith(_HEALTH):
            self._receive(data)
            return
        self._unset_keepalive_if_required()
        self.transport.pause_reading()
        self._has_said = True
        self.waiting.append((self, data))
        if len(self.waiting) == 1:
            self.loop.call_soon(self._begin_some)

    @property
    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _begin_some(self) -> None:
        try:
            for _ in range(min(AT_ONCE, len(self.waiting))):
                connection, data = self.waiting.popleft()
                if not connection.transport.is_closing():
                    connection._begin(data)
        finally:
            if self.waiting:
                self.loop.call_soon(self._begin_some)

    def _begin(self, data: bytes) -> None:
        self._has_said = False
        self.transport.resume_reading()
        self._receive(data)
        if self._is_late and not self._is_under_way:
            self.transport.close()
        self._is_late = False

    def _receive(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # it was refused, and went on otherwise than it had begun
            self.transport.close()

    def on_response_complete(self) -> None:
        self._wait_for_head(SILENCE)
        super().on_response_complete()  # which begins with the next request if it is there

    def shutdown(self) -> None:
        if self._is_under_way:
            super().shutdown()
        else:
            self._wait_for_head(AT_THE_DOOR)

    def _wait_for_head(self, seconds: float) -> None:
        if self._head:
            self._head.cancel()
        self._head = self.loop.call_later(seconds, self._give_up, self.cycle)

    def _give_up(self, before: object) -> None:
        """Close the connection, unless a request has come since then."""
        if self.cycle is before and self._has_said:
            self._is_late = True  # unless it has said enough
        elif self.cycle is before:
            self.transport.close()


def let_nobody_in(door: socket.socket) -> None:
    """Have Linux drop what newcomers send to a socket that listens, so that none comes between a look and its closing.

    They get no answer, ask again, and are refused then. The filter is one instruction of BPF: return 0 bytes.
    """
    if sys.platform == "linux":
        drop_all = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, 0))
        with suppress(OSError):
            door.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(drop_all)))


def allow_descriptors() -> None:
    """Have as many files and connections open as the system lets this process have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, DESCRIPTORS)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def most_connections() -> int:
    """How many connections there may be at once."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (DESCRIPTORS if allowed == resource.RLIM_INFINITY else min(allowed, DESCRIPTORS)) // 2


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens: from here on, a client that is told its address gets through. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # so that asyncio sets TCP_NODELAY
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # connections take it over; a client that takes nothing at all is cut off
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENCE * 1_000))
    found.bind((host, port))
    found.listen(BACKLOG)
    return found


def log_as(form: str, console: Console) -> None:
    """Log warnings for a person, or all that happens as one JSON object a line."""
    if form == "json":
        handler: logging.Handler = logging.StreamHandler(sys.stderr)
        names = {"levelname": "level", "name": "logger"}
        handler.setFormatter(JsonFormatter("%(levelname)s %(name)s %(message)s", rename_fields=names, timestamp=True))
        logging.getLogger("attest.access").setLevel(logging.INFO)
    else:
        handler = RichHandler(console=console, show_path=False)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # what strangers send is no news
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
