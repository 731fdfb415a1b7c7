"""What the commands share: where they print, the options that are settings, and how they stop."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.text import Text

from service.settings import Settings

out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)


def option(field: str, *names: str) -> Any:
    """An option for a field of Settings, with its description, its default and its variable."""
    about = Settings.model_fields[field]
    default = about.default if about.default is not None else False
    return typer.Option(*names, envvar=f"ATTEST_{field.upper()}", help=about.description, show_default=str(default))


Index = Annotated[Path | None, option("index", "--index")]
EmbedderName = Annotated[str | None, option("embedder", "--embedder")]
ReaderName = Annotated[str | None, option("reader", "--reader")]


def progress(*columns: ProgressColumn) -> Progress:
    """A bar that goes when it is done, and is not shown where nobody looks."""
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def settings_of(**given: Any) -> Settings:
    """Read the settings once: options first, then variables, then defaults."""
    from pydantic import ValidationError

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        reasons = []
        for item in error.errors():
            name = f"ATTEST_{str(item['loc'][0]).upper()}: " if item["loc"] else ""
            reasons.append(name + item["msg"].removeprefix("Value error, "))
        raise stop("; ".join(reasons), code=2) from None


def stop(message: str, code: int = 1) -> typer.Exit:
    err.print(Text(message, style="red"), soft_wrap=True)
    return typer.Exit(code)
