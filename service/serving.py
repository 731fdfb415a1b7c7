"""The server: what it logs, and how it ends."""

import asyncio
import logging
import signal
import socket
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI
from pythonjsonlogger.json import JsonFormatter
from rich.console import Console
from rich.logging import RichHandler

GRACE = 60  # seconds for requests under way, once nobody new is let in


class Server(uvicorn.Server):
    """Told to end by SIGTERM, it says on /readyz that it is not ready, and ends only after a while.

    Whoever sends it requests has that long to see it. Requests that came in are answered to their end.
    """

    def __init__(self, app: FastAPI, drain: float) -> None:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, log_config=None, timeout_graceful_shutdown=GRACE
        )
        super().__init__(config)
        self._app, self._drain = app, drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        state = getattr(self._app.state, "attest", None)  # none before it has started
        if sig != signal.SIGTERM or not state or state.draining or not self._drain:
            super().handle_exit(sig, frame)
            return
        state.draining = True
        asyncio.get_event_loop().call_later(self._drain, super().handle_exit, sig, frame)


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens: from here on, a client that is told its address gets through. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # so that asyncio sets TCP_NODELAY
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((host, port))
    found.listen(2048)
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
