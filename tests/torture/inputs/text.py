"""Texts that no writer made: changed at their lines, letters and signs, or generated of any signs."""

import random

from tests.awkward import PAYLOADS
from tests.torture.inputs.examples import PROSE
from tests.torture.inputs.octets import NUMBERS, Change

SIGNS = (
    *(
        "#",
        "# ",
        "\n# ",
        "= ",
        " =",
        "==",
        "\n---\n",
        "\n===\n",
        "- ",
        "\n1. ",
        "> ",
        "*",
        "**",
        "***",
        "_",
        "__",
        "''",
    ),
    *(
        "'''",
        "`",
        "\n```\n",
        "\n~~~\n",
        "[",
        "]",
        "](",
        "](#)",
        "![",
        "[[",
        "]]",
        "|",
        "<",
        ">",
        "<b>",
        "</b>",
        "<ref>",
    ),
    *(
        "</ref>",
        "<ref/>",
        "<!--",
        "-->",
        "{{",
        "}}",
        "https://e.org",
        "<https://e.org>",
        "\nInfobox\n",
        "July 29, 2024",
    ),
    *(
        "&amp;",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\t",
        " ",
        "“",
        "”",
        "‘",
        "«",
        "「",
        "(",
        ")",
        "...",
        "!",
        "?",
        "No. ",
        "Mr. ",
    ),
    *(
        "a.b.",
        "1,000",
        "。",
        "\u0301",
        "\u202e",
        "\u2028",
        "\ufeff",
        "\u00a0",
        "\u200b",
        "\U0010ffff",
        "😀",
        "x" * 3_000,
    ),
    *(
        "\nread more: [a](b)\n",
        "\nurl:\n",
        "\n**A / B**\n",
        "\n- a: b.svg\n",
        "[[File:a|b]]",
        "\nPublished: 1 May 2020\n",
    ),
)


def lines_shuffled(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def line_ends_changed(data: bytes, chance: random.Random) -> bytes:
    ends = [b"\r", b"\r\n", b"\n\n", b" ", "\u2028".encode(), "\u0085".encode(), b"\n\t", b"\v", b"\f"]
    return data.replace(b"\n", chance.choice(ends))


def encoded_otherwise(data: bytes, chance: random.Random) -> bytes:
    encoding = chance.choice(["utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-7", "cp037", "shift_jis"])
    return data.decode(errors="replace").encode(encoding, "replace")


def signs_put_in(data: bytes, chance: random.Random) -> bytes:
    text = data.decode(errors="replace")
    for _ in range(chance.randint(1, 20)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(SIGNS) * chance.choice((1, 1, 1, 3, 50)) + text[at:]
    return text.encode()


def letters_put_in(data: bytes, chance: random.Random) -> bytes:
    """Any code points, control characters and noncharacters among them."""
    text = data.decode(errors="replace")
    at = chance.randrange(len(text) + 1)
    most = chance.choice((0x20, 0x100, 0xD7FF, 0x10FFFF))
    letters = "".join(chr(chance.randint(1, most)) for _ in range(chance.randint(1, 40)))
    return (text[:at] + letters + text[at:]).encode(errors="replace")


def headed(data: bytes, chance: random.Random) -> bytes:
    """It begins with front matter."""
    keys = ["title", "date", "url", "lang", "language", "x", "", "TITLE"]
    values = [*NUMBERS, *PAYLOADS, "x" * 100_000, "https://e.org/" + "y" * 3_000, "2024-02-30", "2024-02-29", "pt-BR"]
    fields = "".join(f"{chance.choice(keys)}: {chance.choice(values)}\n" for _ in range(chance.randint(0, 70)))
    return f"---\n{fields}{chance.choice(['---', '...', '', '----'])}\n".encode() + data


def generated(chance: random.Random) -> bytes:
    parts = [*SIGNS, PROSE, "word ", "The end. "]
    return "".join(chance.choices(parts, k=chance.choice((3, 30, 300)))).encode()


CHANGES: list[Change] = [signs_put_in, signs_put_in, letters_put_in, lines_shuffled, line_ends_changed]
CHANGES += [encoded_otherwise, headed]
