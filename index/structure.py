"""The layout of a plain text: headings, paragraphs, list items, and the furniture around them.

Every block is a slice. Furniture (title and date lines, captions, links to other articles, addresses, media
fields) stays in the text but belongs to no passage: it is about the document, not what the document says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from index.markup import marker_end

Kind = Literal["heading", "paragraph", "item", "furniture"]

INFOBOX = "Infobox"
_LONGEST_HEADING = 300  # code points
_LONGEST_FURNITURE = 600
_LONGEST_DATE = 60
_LONGEST_TITLE = 120
_SENTENCE_END = 50  # code points in which the signs that end a sentence must stand

_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|$)")
_WIKI_HEADING = re.compile(r"(={1,6})\s*([^=\s](?:.*[^=\s])?)\s*\1$")
_MARKDOWN_HEADING = re.compile(r"(#{1,6})\s+(\S.*?)\s*#*$")
_UNDERLINE = re.compile(r"(={3,}|-{3,})\s*$")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_INFOBOX = re.compile(r"infobox\b", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+\S")
_MEDIA_FIELD = re.compile(
    r"[-*|]\s*(?:filetype\b|[^:=]{1,40}[:=]\s*\S.*\.(?:svg|png|jpe?g|gif|webp|tiff?|ogg|webm)$)",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"(?:!\[[^\]]*\]\([^)]*\)|\[\[(?:file|image):.*\]\])$", re.IGNORECASE)
_CREDITED_CAPTION = re.compile(r"(?!.{301}).*\*\*[^*]+ / [^*]+\*\*\.?$")
_RELATED = re.compile(
    r"(?:related(?: articles?| stor(?:y|ies))?|read (?:more|also|next)|also read|see also|more on this)\s*:\s*"
    r"(?:\[.*\]\(.*\)|<?https?://\S+>?)$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"<?(?P<url>https?://[^\s<>]+)>?$")
_ADDRESS_LABEL = re.compile(
    r"(?:(?:original|source|canonical)\s+)?(?:url|source|link)\s*:\s*(?:<?(?P<url>https?://[^\s<>]+)>?)?$",
    re.IGNORECASE,
)
_KEY = re.compile(r"[A-Za-z_-]{1,40}")
_LANGUAGE_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")
_DATE_LABEL = re.compile(r"^(?:published|updated|date|posted)(?:\s+on)?\s*:?\s+", re.IGNORECASE)
_DATE_SHAPE = re.compile(
    r"[^\W\d]+\s+\d{1,2},\s+\d{4}|\d{1,2}\s+[^\W\d]+\s+\d{4}|\d{4}([-/])\s?\d{1,2}\1\s?\d{1,2}(?:T.*)?|\s?\d{1,2}\.\d{1,2}\.\d{4}"
)  # whatever the formats below could read: to try them all takes long
_DATE_FORMATS = ("%B %d, %Y", "%d %B %Y", "%b %d, %Y", "%d %b %Y", "%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d")
_ENDS_SENTENCE = re.compile(r"[.!?…:;][\"'”’»)\]*_]*\s*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A slice [start, end) of one kind; an item's begins behind its bullet; `title` and `level` are a heading's."""

    kind: Kind
    start: int
    end: int
    title: str = ""
    level: int = 0


@dataclass(frozen=True, slots=True)
class Structure:
    """What the layout of a text tells: its blocks in order, and the title, date, address and language it states."""

    blocks: tuple[Block, ...]
    title: str | None
    date: str | None
    url: str | None
    lang: str | None


def parse_date(line: str) -> str | None:
    """Read a line that is a date and nothing else, as ISO 8601; else None."""
    words = line.strip()
    if len(words) > _LONGEST_DATE:
        return None
    words = _DATE_LABEL.sub("", words, count=1)
    if not _DATE_SHAPE.fullmatch(words):
        return None
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(words, form).date().isoformat()
        except ValueError:
            continue
    try:
        return date.fromisoformat(words[:10]).isoformat() if re.match(r"\d{4}-\d\d-\d\dT", words) else None
    except ValueError:
        return None


def parse(text: str) -> Structure:
    """Find the blocks of a text in Markdown, wiki markup or the plain layout of a saved article."""
    lines = [(match.start(), match.start(1)) for match in _LINE.finditer(text) if match.group()]
    fields, body = _front_matter(text, lines)
    title, published, url = fields.get("title") or None, parse_date(fields.get("date", "")), fields.get("url")
    blocks = [Block("furniture", *span) for span in lines[:body] if text[slice(*span)].strip()]
    after_label = any_prose = False
    for block in _blocks(text, lines[body:]):
        words = text[block.start : block.end].strip()
        if block.kind == "heading" and title is None and block.title != INFOBOX and not any_prose:
            title = block.title or None
        elif block.kind == "furniture":
            published = published or parse_date(words)
            label, address = _ADDRESS_LABEL.match(words), _ADDRESS.match(words)
            if label and label["url"]:
                url = url or label["url"]
            elif address and after_label:
                url = url or address["url"]
            after_label = bool(label) and not (label and label["url"])
        any_prose = any_prose or block.kind in ("paragraph", "item")
        blocks.append(block)
    return Structure(
        tuple(_rejoined(text, blocks)),
        title,
        published,
        url,
        stated_language(fields.get("lang", ""), fields.get("language", "")),
    )


def stated_language(*fields: str) -> str | None:
    """The primary language of the first field that is a language tag: "pt" for pt-BR."""
    tags = map(_LANGUAGE_TAG.fullmatch, fields)
    return next((tag[1].lower() for tag in tags if tag), None)


def _front_matter(text: str, lines: list[tuple[int, int]]) -> tuple[dict[str, str], int]:
    """Read a YAML header, or a title that stands alone on the first line; also how many lines they take."""
    filled = [number for number, (start, end) in enumerate(lines) if text[start:end].strip()]
    if len(filled) < 2:
        return {}, 0
    first, second = filled[:2]
    line = text[slice(*lines[first])].strip()
    if line == "---":
        fields: dict[str, str] = {}
        for number in range(first + 1, min(first + 60, len(lines))):
            line = text[slice(*lines[number])]
            if line.strip() in ("---", "..."):
                return fields, number + 1
            key, colon, value = line.partition(":")
            if colon and _KEY.fullmatch(key):
                fields.setdefault(key.lower(), value.strip().strip("\"'"))
        return {}, 0
    if not _is_title(line):
        return {}, 0
    if parse_date(text[slice(*lines[second])]) is not None:
        return {"title": line}, first + 1
    # without a date below, it may as well be a first sentence: it names the document and stays evidence
    return ({"title": line}, 0) if second > first + 1 else ({}, 0)


def _is_title(line: str) -> bool:
    patterns = (_WIKI_HEADING, _MARKDOWN_HEADING, _INFOBOX, _ITEM, _IMAGE, _ADDRESS, _ADDRESS_LABEL)
    return (
        len(line) <= _LONGEST_TITLE
        and not _ENDS_SENTENCE.search(line.rstrip("?!"))
        and not any(pattern.match(line) for pattern in patterns)
        and parse_date(line) is None
    )


def _heading(text: str, start: int, end: int) -> Block | None:
    line = text[start:end].strip()
    if len(line) > _LONGEST_HEADING:
        return None
    match = _WIKI_HEADING.match(line) or _MARKDOWN_HEADING.match(line)
    if not match:
        return None
    return Block("heading", start, end, match[2].strip(), len(match[1]))


def _is_furniture(line: str) -> bool:
    patterns = (_MEDIA_FIELD, _IMAGE, _CREDITED_CAPTION, _RELATED, _ADDRESS, _ADDRESS_LABEL)
    words = line.strip()
    return len(words) <= _LONGEST_FURNITURE and any(pattern.match(words) for pattern in patterns)


def _blocks(text: str, lines: list[tuple[int, int]]) -> Iterator[Block]:
    """Yield a block for each heading, furniture line, list item and run of other lines."""
    open_block: Block | None = None
    in_infobox = in_fence = False
    filled = 0
    for start, end in lines:
        line = text[start:end]
        fence = bool(_FENCE.match(line))
        in_fence = in_fence != fence
        heading = None if in_fence else _heading(text, start, end)
        underlined = open_block and open_block.kind == "paragraph" and _UNDERLINE.match(line)
        if underlined and open_block and (words := _single_line(text, open_block)):
            level = 1 if line.strip().startswith("=") else 2
            yield Block("heading", open_block.start, end, words, level)
            open_block = None
            continue
        is_date = filled < 3 and parse_date(line) is not None
        is_item = bool(_ITEM.match(line)) and not (
            # a number at the start of a line that a paragraph was broken at is no list
            open_block and open_block.kind == "paragraph" and line.lstrip()[:1].isdigit()
        )
        plain_line = line.strip() and not (heading or fence or is_date or _is_furniture(line) or is_item)
        is_infobox = bool(_INFOBOX.match(line)) and len(line.split()) <= 3
        continues = bool(open_block) and (plain_line or (line.strip() and line[:1].isspace()))
        if continues and open_block and not is_item and not is_infobox:
            open_block = Block(open_block.kind, open_block.start, end)
            continue
        if open_block:
            yield open_block
            open_block = None
        if not line.strip():
            continue
        filled += 1
        if heading:
            in_infobox = False
            yield heading
        elif is_infobox and plain_line:
            in_infobox = True
            yield Block("heading", start, end, INFOBOX, 6)
        elif fence or is_date or _is_furniture(line):
            yield Block("furniture", start, end)
        elif is_item:
            open_block = Block("item", marker_end(text, start, end), end)
        else:
            if in_infobox:  # the infobox ends where prose begins: an untitled section follows
                in_infobox = False
                yield Block("heading", start, start, "", 6)
            open_block = Block("paragraph", start, end)
    if open_block:
        yield open_block


def _single_line(text: str, block: Block) -> str:
    """The words of a block that is one short line, else nothing."""
    if block.end - block.start > _LONGEST_HEADING:
        return ""
    words = text[block.start : block.end].strip()
    return "" if {"\n", "\r"} & set(words) else words


def _rejoined(text: str, blocks: list[Block]) -> Iterator[Block]:
    """Join a paragraph that a blank line broke inside a sentence with its rest."""
    previous: Block | None = None
    for block in blocks:
        if previous and previous.kind == block.kind == "paragraph":
            broken = not _ENDS_SENTENCE.search(text, max(previous.start, previous.end - _SENTENCE_END), previous.end)
            if broken and text[block.start].islower():
                previous = Block("paragraph", previous.start, block.end)
                continue
        if previous:
            yield previous
        previous = block
    if previous:
        yield previous
