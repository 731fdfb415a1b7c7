"""What a quote says, so that two quotes can be found to say the same: dates, numbers and names by value."""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

_MONTH_NAMES = (
    ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"),
    ("july", "jul"), ("august", "aug"), ("september", "sept", "sep"), ("october", "oct"), ("november", "nov"),
    ("december", "dec"),
)  # fmt: skip
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, start=1) for name in names}
_MONTH = "|".join(_MONTHS)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES = [
    re.compile(pattern)
    for pattern in (
        r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
        rf"{_DAY} (?:of )?(?P<month>{_MONTH})\.?(?:,? (?P<year>\d{{4}}))?",
        rf"(?P<month>{_MONTH})\.? {_DAY}(?:,? (?P<year>\d{{4}}))?",
        rf"(?P<month>{_MONTH})\.?(?: of)?,? (?P<year>\d{{4}})",
    )
]
_WEEKDAY = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)day,? ")
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALES |= {"k": 10**3, "mn": 10**6, "bn": 10**9, "tn": 10**12}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_NUMERALS = {word: value for value, word in enumerate((_ONES + " eighteen nineteen").split())}
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
_CURRENCIES = {"us$": "usd", "$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "₽": "rub"}
_UNITS = {"dollar": "usd", "euro": "eur", "pound": "gbp", "yen": "jpy", "ruble": "rub", "rouble": "rub", "%": "percent"}
_UNITS |= {"us dollar": "usd", "per cent": "percent", "pct": "percent", "percentage point": "percent"}
_DIGITS = re.compile(
    r"(?P<currency>us\$|[$€£¥₽])? ?(?P<sign>[-+−])?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
)
_TITLES = frozenset(
    "mr mrs ms dr prof sir president prime minister foreign defence defense vice deputy king queen prince princess "
    "general colonel captain senator secretary chancellor ambassador director chairman".split()
)
_AFTER_OFFICE = frozenset(("of", "for", "and", "to", "in", "at"))  # "president of Russia" is no name
_ARTICLES = frozenset(("a", "an", "the"))
_LONGEST_NAME = 5  # words
# words, and the signs that change what they say; punctuation apart
_WORDS = re.compile(r"[-+−]?\w+|[^\w\s.,;:!?…\"'()‘-”]")


class Date(NamedTuple):
    """A date, with None for what is not given."""

    year: int | None
    month: int | None
    day: int | None


class Amount(NamedTuple):
    """A number and its unit: of a count, what is counted; of a bare number, nothing."""

    number: Decimal
    unit: str


class Name(NamedTuple):
    """Words without case, accents, articles and titles."""

    words: tuple[str, ...]


def value(words: str) -> Date | Amount | Name:
    """The date or the amount that some words give, else the words as a name, equal for all ways of writing it."""
    text = " ".join(_folded(words).split()).lstrip(" ,;:!?\"'()“”‘’").rstrip(" .,;:!?\"'()“”‘’")
    text = text if _DIGITS.match(text) else text.lstrip(" .,;:!?\"'()“”‘’")
    return _date(text) or _amount(text) or _name(text)


def differ(one: str, other: str) -> bool:
    """Whether two quotes give dates, amounts of one unit, or names that cannot both be right.

    What is a part of the other does not differ from it: 1945 from March 3, 1945, or Maduro from Nicolás Maduro.
    """
    match _comparable(one), _comparable(other):
        case Date() as left, Date() as right:
            return any(None not in pair and pair[0] != pair[1] for pair in zip(left, right, strict=True))
        case Amount() as left, Amount() as right:
            return left.unit == right.unit and left.number != right.number
        case Name(left), Name(right):
            return set(left).isdisjoint(right)
    return False


def _comparable(words: str) -> Date | Amount | Name | None:
    """A value that others can be held against: a date, a year among them; an amount; the words of a name."""
    found = value(words)
    if isinstance(found, Amount) and found.unit == "" and 1000 <= found.number <= 2100:
        return Date(int(found.number), None, None)
    if not isinstance(found, Name):
        return found
    parts = words.split()
    is_name = 1 <= len(parts) <= _LONGEST_NAME and parts[0][:1].isupper() and parts[-1][:1].isupper()
    return found if is_name else None


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", "".join(_raised(character) for character in text.casefold()))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _raised(character: str) -> str:
    """Set a superscript or a subscript apart from the digits before it: 10² is not 102."""
    return f"^{character}" if unicodedata.decomposition(character).startswith(("<super>", "<sub>")) else character


def _date(text: str) -> Date | None:
    text = _WEEKDAY.sub("", re.sub("^(?:on|in) ", "", text).removeprefix("the "), count=1)
    for pattern in _DATES:
        if match := pattern.fullmatch(text):
            given = match.groupdict()
            year, day = (int(given[part]) if given.get(part) else None for part in ("year", "day"))
            return Date(year, _MONTHS[given["month"]] if given["month"] in _MONTHS else int(given["month"]), day)
    return None


def _amount(text: str) -> Amount | None:
    """A number in digits or in words, with its scale and its unit."""
    unit: str | None = None
    number: Decimal | None
    if match := _DIGITS.match(text):
        number = Decimal(match["digits"].replace(",", "")) * (-1 if match["sign"] in ("-", "−") else 1)
        unit = _CURRENCIES.get(match["currency"] or "")
        rest = text[match.end() :].replace("%", " % ").replace("-", " ").split()
        if text[match.end() : match.end() + 1].isalpha() and rest[0] not in _SCALES:
            return None  # 7th, 2b
        while rest and rest[0] in _SCALES:
            number *= _SCALES[rest.pop(0)]
    else:
        number, rest = _numeral(text.replace("-", " ").split())
        if number is None:
            return None
    counted = " ".join(rest)
    if any(character.isdigit() for character in counted):
        return None  # a range, a list, a score
    if not counted.endswith("ss"):
        counted = counted.removesuffix("s")
    named = _UNITS.get(counted, counted)
    return Amount(number, named if not unit or named == unit else f"{unit} {named}".strip())


def _numeral(words: Sequence[str]) -> tuple[Decimal | None, list[str]]:
    """The number that these words begin with, None if with none, and the words after it."""
    total = Decimal(0)
    group: Decimal | None = None  # what the next scale multiplies
    for at, word in enumerate(words):
        if word in _NUMERALS or word in _TENS:
            more = _NUMERALS.get(word) or _TENS.get(word, 0)
            if group and group % (10 if more < 10 else 100):
                return None, []  # nineteen forty-five
            if group and more < 10 and 10 <= group % 100 < 20:
                return None, []
            group = (group or Decimal(0)) + more
        elif word in _SCALES and (group or at == 0):
            group = (group or Decimal(1)) * _SCALES[word]
            if _SCALES[word] > 100:
                total, group = total + group, Decimal(0)
        elif word in ("a", "an") and at == 0 and words[1:2] and words[1] in _SCALES:
            group = Decimal(1)
        elif word == "and" and group is not None and words[at + 1 : at + 2] and words[at + 1] in _NUMERALS | _TENS:
            continue
        else:
            return (None if group is None else total + group), list(words[at:])
    return (None if group is None else total + group), []


def _name(text: str) -> Name:
    found = _WORDS.findall(text)
    words = [word for word in found[:-1] if word not in _ARTICLES] + found[-1:]  # the A of "vitamin A" is no article
    named = next((at for at, word in enumerate(words) if word not in _TITLES), len(words))
    if named < len(words) and words[named] not in _AFTER_OFFICE:
        words = words[named:]
    return Name(tuple(words))
