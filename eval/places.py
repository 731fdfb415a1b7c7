"""Where the words of an answer stand in documents."""

import re
from collections.abc import Callable, Collection, Mapping

from index.markup import Plain, plain, widen

Wanted = tuple[str, str]  # an answer, and the path of its document, or "" for any
Place = tuple[str, int, int]  # the path of a document, and a slice of its text


def places(wanted: Collection[Wanted], texts: Mapping[str, str]) -> dict[Wanted, list[Place]]:
    """Where answers stand in the words of documents; for one that stands nowhere there, in the text with its markup."""
    found = _found(wanted, texts, lambda text: plain(text, 0, len(text)))
    missing = [answer for answer, its_places in found.items() if not its_places]
    return found | _found(missing, texts, lambda text: Plain(text, tuple(range(len(text)))))


def _found(
    wanted: Collection[Wanted], texts: Mapping[str, str], words_of: Callable[[str], Plain]
) -> dict[Wanted, list[Place]]:
    """Where answers stand as words of their own: just so or, if they never do, in other capitals."""
    just_so: dict[Wanted, list[Place]] = {key: [] for key in wanted}
    capitals_apart: dict[Wanted, list[Place]] = {key: [] for key in wanted}
    patterns = {key: _pattern(key[0]) for key in wanted}
    for document, text in texts.items() if wanted else ():
        words = words_of(text)
        for key, pattern in patterns.items():
            for match in pattern.finditer(words.text) if key[1] in ("", document) else ():
                kind = just_so if match[0].split() == key[0].split() else capitals_apart
                kind[key].append((document, *_whole(text, *words.source(*match.span()))))
    return {key: just_so[key] or capitals_apart[key] for key in wanted}


def _pattern(answer: str) -> re.Pattern[str]:
    words = r"\s+".join(map(re.escape, answer.split()))
    return re.compile(rf"(?<!\w)(?<!\d[.,]){words}(?!\w|[.,]\d)", re.IGNORECASE)


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """A slice widened as a quote is, so that it cuts through no markup of the lines that it stands on."""
    after = text.find("\n", end)
    return widen(text, (start, end), (text.rfind("\n", 0, start) + 1, len(text) if after < 0 else after))
