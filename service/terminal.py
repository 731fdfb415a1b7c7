"""An answer as a person reads it in a terminal."""

from rich.console import Console
from rich.text import Text

from service.answering import Answer, Citation
from service.confidence import percent
from service.console import visible

LEAST_WIDTH = 20  # of wrapped words, however narrow the window is


def show(answer: Answer, least: float, out: Console) -> None:
    """Print an answer for a person: the quote, then each citation in its sentence with its place.

    `least` is the confidence that an answer needed.
    """
    if answer.status == "answered":
        _show_answered(answer, out)
        return
    sure = f"{percent(answer.confidence)}%; {percent(least)}% needed"
    words = {
        "no_relevant_passage": "No passage of these documents is about this.",
        "low_confidence": f"Nothing here answers it surely enough ({sure}).",
    }
    _print(Text("No answer found. " + words[answer.reason or "low_confidence"], style="bold"), out)
    if answer.related:
        out.print(Text("\nRelated, not an answer:", style="dim"))
    for number, citation in enumerate(answer.related, start=1):
        out.print()
        _print(Text(_source(citation), style="dim"), out, Text(f"[{number}] ", style="dim"))
        _print(Text(visible(citation.quote)), out, Text("    "))


def _show_answered(answer: Answer, out: Console) -> None:
    """One citation stands close to its answer; several are parted by blank lines."""
    _print(Text(visible(answer.answer or ""), style="bold"), out)
    cited = (*answer.citations, *answer.differing)
    gap = "\n" if len(cited) > 1 else ""
    for number, citation in enumerate(cited, start=1):
        out.print(end=gap)
        if number == len(answer.citations) + 1:
            out.print(Text("Other documents answer differently:\n", style="dim"))
        if citation.sentence.text != answer.answer:
            _print(_marked(citation), out, Text(f"[{number}] "))
        _print(Text(_source(citation), style="dim"), out, Text(f"[{number}] ", style="dim"))
    out.print(Text(f"{gap}Confidence {percent(answer.confidence)}%", style="dim"))


def _print(words: Text, out: Console, label: Text | None = None) -> None:
    """Print words behind a label; where somebody looks, wrapped below themselves."""
    label = label or Text()
    if out.is_terminal:
        lines = words.wrap(out, max(out.width - len(label), LEAST_WIDTH))
        for line in lines:
            line.rstrip()
        words = Text("\n" + " " * len(label)).join(lines)
    out.print(label + words, soft_wrap=True)


def _marked(citation: Citation) -> Text:
    """The sentence, with the quote set off in it where it is only a part."""
    sentence = Text(visible(citation.sentence.text))
    begin = citation.start - citation.sentence.start
    sentence.stylize("bold", begin, begin + len(citation.quote))
    return sentence


def _source(citation: Citation) -> str:
    page = f"page {citation.page}" if citation.page else None
    parts = [citation.document.title, citation.section, page, citation.document.date]
    place = f"{citation.document.uri}, characters {citation.start}–{citation.end}"
    return visible(", ".join(part for part in parts if part) + f" ({place})")
