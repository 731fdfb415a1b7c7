"""An answer in a terminal: what stands on which line, and how wide."""

import io
from dataclasses import replace

from rich.console import Console

from index.documents import DocumentRef
from service.answering import Answer, Citation, IndexRef, PassageSlice, Slice, Timings
from service.terminal import show

BRIDGE = "The bridge over the river was opened by the king on a rainy day in May of 1932, after seven years."
TUNNEL = "The tunnel was opened in 1992."


def cited(text: str, quote: str, name: str, section: str | None = None) -> Citation:
    start = 100 + text.index(quote)
    ref = DocumentRef(name, f"The {name}", f"{name}.txt", None, "0" * 64, "en")
    sentence, passage = Slice(100, 100 + len(text), text), PassageSlice(name, 100, 100 + len(text), text)
    return Citation(ref, start, start + len(quote), quote, sentence, passage, section, None, 1.0)


ANSWER = Answer(
    id="0" * 24,
    question="When was it opened?",
    status="answered",
    answer="1932",
    confidence=0.734,
    reason=None,
    citations=(cited(BRIDGE, "1932", "bridge", "Opening"),),
    differing=(),
    related=(),
    warnings=(),
    index=IndexRef(1, "hashing", "sentence"),
    timings_ms=Timings(1, 2, 3),
)
NONE = replace(
    ANSWER,
    status="abstained",
    answer=None,
    reason="low_confidence",
    citations=(),
    related=(cited(BRIDGE, BRIDGE, "bridge", "Opening"), cited(TUNNEL, TUNNEL, "tunnel")),
)


def shown(answer: Answer, width: int, is_terminal: bool = True) -> str:
    out = io.StringIO()
    show(answer, 0.8, Console(file=out, width=width, force_terminal=is_terminal, color_system=None, _environ={}))
    return out.getvalue()


def test_related_passages_stand_below_their_places_with_an_indent() -> None:
    assert (
        shown(NONE, 60)
        == """\
No answer found. Nothing here answers it surely enough (73%;
80% needed).

Related, not an answer:

[1] The bridge, Opening (bridge.txt, characters 100–198)
    The bridge over the river was opened by the king on a
    rainy day in May of 1932, after seven years.

[2] The tunnel (tunnel.txt, characters 100–130)
    The tunnel was opened in 1992.
"""
    )


def test_where_nobody_looks_no_line_is_broken() -> None:
    assert shown(NONE, 30, is_terminal=False).splitlines() == [
        "No answer found. Nothing here answers it surely enough (73%; 80% needed).",
        "",
        "Related, not an answer:",
        "",
        "[1] The bridge, Opening (bridge.txt, characters 100–198)",
        f"    {BRIDGE}",
        "",
        "[2] The tunnel (tunnel.txt, characters 100–130)",
        f"    {TUNNEL}",
    ]


def test_one_citation_stands_close_to_its_answer() -> None:
    assert (
        shown(ANSWER, 50)
        == """\
1932
[1] The bridge over the river was opened by the
    king on a rainy day in May of 1932, after
    seven years.
[1] The bridge, Opening (bridge.txt, characters
    174–178)
Confidence 73%
"""
    )


def test_several_citations_are_parted_by_blank_lines() -> None:
    several = replace(ANSWER, differing=(cited(TUNNEL, "1992", "tunnel"),))
    assert (
        shown(several, 120)
        == f"""\
1932

[1] {BRIDGE}
[1] The bridge, Opening (bridge.txt, characters 174–178)

Other documents answer differently:

[2] {TUNNEL}
[2] The tunnel (tunnel.txt, characters 125–129)

Confidence 73%
"""
    )


def test_a_narrow_window_is_not_filled_with_single_letters() -> None:
    lines = shown(NONE, 5).splitlines()
    assert "    The bridge over the" in lines
    assert max(map(len, lines)) <= 24


def test_the_quote_is_set_off_where_it_stands_and_commands_nothing() -> None:
    text = "It rained.\r\nThe \x1b[2Jbridge opened in 1932."
    out = io.StringIO()
    answer = replace(ANSWER, citations=(cited(text, "1932", "bridge"),))
    show(answer, 0.5, Console(file=out, width=80, force_terminal=True, color_system="standard", _environ={}))
    assert "opened in \x1b[1m1932\x1b[0m." in out.getvalue()
    assert "␛[2Jbridge" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
