"""An answer as a person reads it in a terminal."""

from rich.console import Console
from rich.text import Text

from service.answering import Answer, Citation


def show(answer: Answer, least: float, out: Console) -> None:
    """Print an answer for a person: the quote, then each citation in its sentence with its place.

    `least` is the confidence that an answer needed.
    """
    if answer.status == "answered":
        out.print(Text(answer.answer or "", style="bold"), soft_wrap=True)
        for number, citation in enumerate((*answer.citations, *answer.differing), start=1):
            if number == len(answer.citations) + 1:
                out.print(Text("Other documents answer differently:", style="dim"))
            if citation.sentence.text != answer.answer:
                out.print(Text(f"[{number}] ") + _marked(citation), soft_wrap=True)
            out.print(Text(f"[{number}] {_source(citation)}", style="dim"), soft_wrap=True)
        out.print(Text(f"Confidence {answer.confidence:.0%}", style="dim"))
        return
    words = {
        "no_relevant_passage": "No passage of these documents is about this.",
        "low_confidence": f"Nothing here answers it surely enough ({answer.confidence:.0%}; {least:.0%} needed).",
    }
    out.print(Text("No answer found. " + words[answer.reason or "low_confidence"], style="bold"), soft_wrap=True)
    if answer.related:
        out.print(Text("Related, not an answer:", style="dim"))
    for citation in answer.related:
        out.print(Text(f"  {citation.quote}"), soft_wrap=True)
        out.print(Text(f"  {_source(citation)}", style="dim"), soft_wrap=True)


def _marked(citation: Citation) -> Text:
    """The sentence, with the quote set off in it where it is only a part."""
    sentence = Text(citation.sentence.text)
    begin = citation.start - citation.sentence.start
    sentence.stylize("bold", begin, begin + len(citation.quote))
    return sentence


def _source(citation: Citation) -> str:
    page = f"page {citation.page}" if citation.page else None
    parts = [citation.document.title, citation.section, page, citation.document.date]
    place = f"{citation.document.uri}, characters {citation.start}–{citation.end}"
    return ", ".join(part for part in parts if part) + f" ({place})"
