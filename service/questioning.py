"""From an English sentence to the questions that it answers: by a few rules, which rather make none than a crooked one.

A rule fits a whole clause and turns no verb whose forms are not known. What a question is about holds a name or is the
document's title, and nothing of it may lean on the sentences around it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

LONGEST = 100  # characters of a question

# Verbs: base, past and participle, or the base alone of a regular one.
_VERBS = """achieve acquire adopt announce appoint approve arrive become:became:become begin:began:begun
    build:built:built buy:bought:bought capture collapse compose conquer construct create declare defeat design destroy
    develop die:died:died direct discover elect establish form found host introduce invade invent join launch
    lead:led:led leave:left:left lose:lost:lost make:made:made marry:married:married merge move obtain open paint patent
    perform produce propose publish purchase receive record release replace resign restore retire return sell:sold:sold
    send:sent:sent separate sign start surrender translate unveil visit win:won:won write:wrote:written""".split()
_FORMS = [tuple(verb.split(":")) if ":" in verb else (verb, *[f"{verb.removesuffix('e')}ed"] * 2) for verb in _VERBS]
_BASES = {past: base for base, past, _ in _FORMS}
_PASTS = {participle: past for _, past, participle in _FORMS}
_ALONE = "began collapsed died married opened resigned retired started surrendered"  # whole without an object
_BY_SOMEBODY = """acquired built bought composed conquered constructed created designed developed directed discovered
    established founded introduced invented led painted patented produced proposed published purchased recorded
    translated unveiled won written"""  # not by an event or a force
_PERSONS = """actor actress ambassador architect artist astronaut author captain chairman champion chancellor chief
    coach commander composer creator daughter designer director editor emperor engineer explorer father founder general
    governor inventor journalist judge king leader manager mayor minister mother owner painter person philosopher
    physicist player poet pope president producer queen ruler scientist secretary senator singer son successor sultan
    winner wife woman writer"""
_THINGS = """airport animal bridge building castle church city company country county desert element island lake
    language law mountain newspaper novel ocean party peak port region religion river school ship species sport stadium
    state street team theater theatre town train university village volcano"""
_LEANING = frozenset(
    """i you he she it we they me him her us them my your his its our their this that these those such
    himself herself itself themselves who whom whose which what when where why how whether if because although though
    while whereas until unless since before after than is are was were be been being am has have had do does did will
    would can could may might must shall should not no never nor but or so yet also then later again too there here now
    today soon still already only even just either neither each another other others next one same said says however
    once early late sometime beginning starting respectively both including probably""".split()
)
_QUANTIFIERS = frozenset("all few half many more most much part several some total".split())
_LINKS = frozenset("of and the for de da del della di du la le los las von van der den y in at on to & al bin".split())
_NOUN_PHRASE = re.compile(r"(?:Tl{0,3}(?:c+l?)?|lc+)?n*C[Cn]*(?:c+[Cn]+){0,3}l{0,2}")
_CROOKED = re.compile(r"[()\[\]{}<>\"“”«»!…/\\|=*_@#—]|\s[?.,–-]|(?<!\w)['‘’]|\d[–-]\d|\?.")


def questions(sentence: str, title: str, seen: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """Yield the questions that a sentence of a document answers, each with where in the sentence the answer stands.

    `seen` counts words within sentences, where only names begin with a capital.
    """
    sentence = _inside(sentence, seen)
    for rule, template in _RULES:
        if match := rule.match(sentence):
            parts = {name: _turned(name, words, title) for name, words in match.groupdict(default="").items()}
            question = template.format(**parts)
            if None not in parts.values() and len(question) <= LONGEST and not _CROOKED.search(question):
                yield question, *match.span("answer")


def _inside(sentence: str, seen: Mapping[str, int]) -> str:
    """A sentence with its first word as it stands within others; nothing if that cannot be told."""
    first, _, others = sentence.partition(" ")
    common = first.lower()
    if len(common) == len(first) and (common in ("the", "in", "on") or seen.get(common, 0) > seen.get(first, 0)):
        return f"{common} {others}"
    return sentence if seen.get(first) or others[:1].isupper() else ""


def _turned(part: str, words: str, title: str) -> str | None:
    """A part of a sentence as it stands in a question, None if it cannot."""
    if words and part in ("subject", "name"):
        return words if _is_title(words, title) or _is_named(words.split()) else None
    return _TURNS[part](words) if words and part in _TURNS else words


def _is_title(words: str, title: str) -> bool:
    return words.startswith("the ") and words[4:].casefold() == title.casefold().removeprefix("the ")


def _is_named(words: Sequence[str]) -> bool:
    """Whether a noun phrase holds a name, and nothing of another clause."""
    kinds = "".join("T" if word == "the" and not at else _kind(word) for at, word in enumerate(words))
    return words[0].lower() not in _QUANTIFIERS and _NOUN_PHRASE.fullmatch(kinds) is not None


def _kind(word: str) -> str:
    """C: as in a name, n: a number, c: a link between names, l: in lower case, x: not of a noun phrase."""
    if word in _LINKS:
        return "c"
    if word.lower() in _LEANING or word in _BASES:
        return "x"
    if word[0].isupper():
        return "C"
    if word[0].isdigit():
        return "n"
    is_noun = len(word) <= 4 or word == "building"  # and as a king or a bed, no participle
    return "l" if is_noun or not word.endswith(("ed", "ing", "ly")) else "x"


def _clause(words: str) -> str | None:
    """What is said of a subject, if that is a single clause."""
    found = {*words.removeprefix("be ").split()}
    return None if found & _LEANING or "and" in found or re.search(_YEAR, words) else words


def _object(words: str) -> str | None:
    return None if any(word.endswith("ed") or word in _PASTS for word in words.split()) else _clause(words)


def _counted(words: str) -> str | None:
    return None if words.split(maxsplit=1)[0] in _QUANTIFIERS else words


_TURNS: dict[str, Callable[[str], str | None]] = {
    "clause": _clause,
    "object": _object,
    "things": _counted,
    "past": _BASES.get,
    "alone": _BASES.get,
    "participle": _PASTS.get,
    "has": {"has": "does", "have": "do"}.get,
}


def _any(words: str) -> str:
    return f"(?:{'|'.join(words.split())})"


_YEAR = r"\b[12]\d{3}\b"
_MONTH = _any("January February March April May June July August September October November December")
_DATE = (
    rf"(?P<answer>(?:(?:\d{{1,2}} )?{_MONTH} |{_MONTH} \d{{1,2}}, )?{_YEAR})"
    r"(?!,? (?:and|or|to|through|until) \d|, \d)"
)
_NOUNS = "[^,;:]{3,60}?"
_ASIDE = r"(?: \([^()]{1,80}\)|, [^,;:]{3,80},)?"
_FIRST = f"(?:in|on) {_DATE},? (?:(?:during|after|following|under|with|at|in|on|when) [^,;:]{{3,80}}, )?"
_SUBJECT = f"(?P<subject>{_NOUNS}){_ASIDE}"
_NAME = f"(?P<answer>(?P<name>{_NOUNS}))"
_PASSIVE = (
    rf"{_SUBJECT} (?P<was>was|were|will(?= be )) "
    rf"(?P<clause>(?:be )?(?:\w+ly |first )?(?:[a-z]+ed|born|{_any(' '.join(_PASTS))})(?: {_NOUNS})?)"
)
_ACTIVE = f"{_SUBJECT} (?:(?P<past>{_any(' '.join(_BASES))})(?P<object> {_NOUNS})|(?P<alone>{_any(_ALONE)}))"
_END = r"(?=\.?$|[,;] | (?:and|by|after|when|with|at|under|near|following|during|in|on|from|for|where|but|while) )"
_END_OF_SENTENCE = r"(?=\.?$|, (?:which|who|where|when|after|with|but|while|and (?:was|were|the|in|on)|[a-z]+ing) )"
_NUMBER = rf"(?:\d[\d,.]*(?: million| billion)?|{_any('two three four five six seven eight nine ten eleven twelve')})"
_ABOUT = r"(?:(?:about|around|over|approximately|nearly|almost|more than|at least) )?"


def _rules() -> Iterator[tuple[str, str]]:
    """Yield what a sentence begins with, and the question that it then answers."""
    for clause, question in (
        (_PASSIVE, "When {was} {subject} {clause}?"),
        (_ACTIVE, "When did {subject} {past}{alone}{object}?"),
    ):
        yield f"{clause} (?:in|on) {_DATE}{_END}", question
        yield f"{_FIRST}{clause}{_END_OF_SENTENCE}", question
    made = f"{_SUBJECT} (?:was|were) (?P<participle>{_any(_BY_SOMEBODY)})"
    dated = f"(?: (?:in|on) {_DATE})?".replace("answer", "date")
    yield f"{made}{dated} by {_NAME}{_END}", "Who {participle} {subject}?"
    placed = f"(?P<is>is|are|was|were) (?P<placed>{_any('located situated based headquartered born buried')})"
    yield f"{_SUBJECT} {placed} (?:in|at|near) {_NAME}{_END}", "Where {is} {subject} {placed}?"
    for asked, nouns, least in (("Who", _PERSONS, 0), ("What", _THINGS, 1), ("What", "capital currency", 0)):
        before = rf"(?:(?!(?:of|in|to|on|for|at) )[^\s,;:]+ ){{{least},4}}?"
        described = rf"(?P<subject>the {before}{_any(nouns)}(?: (?:of|in|to|on|for|at) {_NOUNS})?)"
        yield rf"{_NAME}{_ASIDE} (?P<is>is|was) {described}(?=\.?$|, )", asked + " {is} {subject}?"
        yield rf"{described} (?P<is>is|was) {_NAME}(?=\.?$|, )", asked + " {is} {subject}?"
    number = f"(?P<answer>{_ABOUT}{_NUMBER}) (?P<things>(?:[a-z]+ )?[a-z]+s)"
    yield f"{_SUBJECT} (?P<has>has|have) {number}{_END}", "How many {things} {has} {subject} have?"


_RULES = [(re.compile(rule), template) for rule, template in _rules()]
