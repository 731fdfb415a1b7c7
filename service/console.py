"""What the commands share: where they print and in which words, the options that are settings, and how they stop."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.text import Text
from typer.core import TyperGroup

from service.settings import Settings

out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)
_CONTROLS = {code: 0x2400 + code for code in range(32)} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
_SHOWN = _CONTROLS | {ord(sign): ord(" ") for sign in "\r\v\f"} | {ord(sign): ord(sign) for sign in "\n\t"}


class Commands(TyperGroup):
    """A list of commands that says of each its first paragraph, whole; typer's would be cut at the window's width."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for command in self.commands.values():
            command.short_help = " ".join((command.help or "").partition("\n\n")[0].split())
        super().format_commands(ctx, formatter)


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


def settings_of(context: typer.Context, **given: Any) -> Settings:
    """Read the settings once: options first, then variables, then defaults."""
    from pydantic import ValidationError

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        reasons = [f"{_given_as(context, *item['loc'])}: {item['msg']}" for item in error.errors()]
        raise stop("; ".join(reason.replace("Value error, ", "") for reason in reasons), code=2) from None


def _given_as(context: typer.Context, field: int | str) -> str:
    """What a person wrote a setting as: its option, or else its variable."""
    source = context.get_parameter_source(str(field))
    is_option = source is not None and source.name == "COMMANDLINE"
    return f"--{field}".replace("_", "-") if is_option else f"ATTEST_{field}".upper()


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 document, 1,024 documents."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def visible(text: str) -> str:
    """A text of others, as long as it was, with signs for the characters that would command a terminal."""
    return text.translate(_SHOWN)


def stop(message: str, code: int = 1) -> typer.Exit:
    err.print(Text(visible(message), style="red"), soft_wrap=True)
    return typer.Exit(code)
