"""A corpus for measuring: documents of any number, always the same ones, with facts whose questions are known."""

from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

_ONSETS = "b br c ch d dr f fr g gr h k kl l m n p pr r s sh st t th tr v w".split()
_VOWELS = "a e i o u ai ea ou".split()
_CODAS = "l n r s t m nd rn st ll ck".split()
_PLACES = "ton ville field port bury ford haven mouth stead wick".split()
_GIVEN = """Ada Adam Agnes Albert Alma Anna Anton Bella Boris Carl Clara Daniel Diana Edith Elena Emil Erik Eva Felix
    Flora Frank Greta Hanna Hugo Ida Irene Ivan Jakob Julia Karl Laura Leo Lina Lucas Maria Martin Milan Nina Olga
    Oscar Paul Rosa Simon Sofia Stefan Thea Victor Vera""".split()
_MONTHS = "January February March April May June July August September October November December".split()
_THINGS = [  # what a town has, and what was done to it
    ("bridge", "opened"),
    ("town hall", "completed"),
    ("railway station", "opened"),
    ("lighthouse", "built"),
    ("hospital", "founded"),
    ("library", "founded"),
    ("harbour", "enlarged"),
    ("theatre", "inaugurated"),
    ("water tower", "built"),
    ("museum", "opened"),
    ("observatory", "built"),
    ("market hall", "rebuilt"),
    ("cathedral", "consecrated"),
    ("power station", "completed"),
    ("school", "founded"),
    ("canal", "dug"),
]
_MATERIALS = "granite brick sandstone oak iron limestone concrete slate".split()
_WORK = "weaving shipbuilding brewing fishing glassmaking farming papermaking printing".split()
_FILLER = [
    "Most of the {people} families who lived along the {side} bank worked in {work}, and their children after them.",
    "In the {nth} century the parish kept a register of every cart on the {near} road, now held in the archive.",
    "The council of {place} met on the first {weekday} of each month, and its minutes name the {thing} often.",
    "Travellers described {place} as a quiet town of {number} chimneys, where {work} paid for almost everything.",
    "After the great flood the {side} quarter was rebuilt in {material}, with streets wide enough for two carts.",
    "A pamphlet printed in {other} complained that the {thing} served strangers better than the people of {place}.",
    "Prices rose in those years, and a loaf of bread cost as much as a day of {work} had brought in before.",
    "The archive holds letters in which merchants of {other} ask for credit until the {season} fair.",
    "Every {season} the river carried ice or mud down from the hills, and the {near} road was closed for days.",
    "An inventory of that year lists {number} barrels, a broken scale and a map of {place} drawn on linen.",
    "Historians disagree about how much {work} mattered to the town, since the tax rolls of two decades are lost.",
    "The old families sold their houses one by one, mostly to people from {other} who had made money in {work}.",
    "There was a choir, a fire brigade and a society for the improvement of gardens, which met above the bakery.",
    "Visitors to the {thing} were asked to leave their dogs at the gate and to speak quietly in the {season} months.",
    "Much of the {material} came by barge from {other}, a journey of three days when the water was high.",
    "The teacher of the upper class collected songs and proverbs, which he wrote down in {number} small notebooks.",
]
_SECTIONS = ["History", "Economy", "Buildings", "Town life", "The river", "Later years", "Archives"]


class Planted(NamedTuple):
    """A question, its only right answer, and the name of the document that gives it."""

    question: str
    answer: str
    document: str


class Text(NamedTuple):
    """A document of the corpus with the facts in it."""

    name: str
    text: str
    facts: tuple[Planted, ...]


def text(number: int) -> Text:
    """The document of this number: a town, in about a thousand words under headings, with four facts."""
    random = Random(number)  # noqa: S311 - it has to be the same every time
    place, name = town(number), f"{number:06d}.md"
    things = random.sample(_THINGS, 4)
    facts = []
    paragraphs = [f"# {place}"]
    for section, (thing, done) in zip(random.sample(_SECTIONS, 4), things, strict=True):
        date = f"{random.randint(1, 28)} {random.choice(_MONTHS)} {random.randint(1780, 1990)}"
        person = f"{random.choice(_GIVEN)} {_name(random)}"
        cost = f"{random.randint(11, 989)},{random.randint(100, 999)}"
        asked, answer, fact = random.choice(
            [
                (f"When was the {thing} of {place} {done}?", date, f"The {thing} of {place} was {done} on {date}."),
                (
                    f"Who designed the {thing} of {place}?",
                    person,
                    f"The {thing} of {place} was designed by {person}, who lived nearby.",
                ),
                (
                    f"How much did the {thing} of {place} cost?",
                    f"{cost} crowns",
                    f"In the end the {thing} of {place} cost {cost} crowns, twice what had been planned.",
                ),
            ]
        )
        facts.append(Planted(asked, answer, name))
        paragraphs.append(f"## {section}")
        sentences = [_filler(random, place, thing) for _ in range(random.randint(8, 16))]
        sentences.insert(random.randint(0, len(sentences)), fact)
        middle = len(sentences) // 2
        paragraphs += [" ".join(sentences[:middle]), " ".join(sentences[middle:])]
    return Text(name, "\n\n".join(paragraphs) + "\n", tuple(facts))


def town(number: int) -> str:
    """The name of a town, which no other number below six million has."""
    syllables = [onset + vowel for onset in _ONSETS for vowel in _VOWELS]
    scattered = number * 3_999_971 % len(syllables) ** 3  # like numbers have unlike names
    found = ""
    for _ in range(3):
        scattered, at = divmod(scattered, len(syllables))
        found += syllables[at]
    return f"{found}{_CODAS[number % len(_CODAS)]}{_PLACES[number % len(_PLACES)]}".capitalize()


def write(folder: Path, documents: int) -> None:
    """Write the first documents of the corpus into a new folder, a thousand to a folder of its own."""
    for number in range(documents):
        document = text(number)
        path = folder / f"{number // 1_000:03d}" / document.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document.text, encoding="utf-8")


def questions(documents: int, count: int) -> list[Planted]:
    """Different questions on the first documents, spread over all of them."""
    order = Random(0).sample(range(documents), documents)  # noqa: S311 - it has to be the same every time
    asked = (text(number).facts[at] for at in range(4) for number in order)
    return list(islice(asked, count))


def _name(random: Random) -> str:
    parts = [random.choice(_ONSETS) + random.choice(_VOWELS) for _ in range(random.randint(1, 2))]
    return ("".join(parts) + random.choice(_CODAS)).capitalize()


def _filler(random: Random, place: str, thing: str) -> str:
    return random.choice(_FILLER).format(
        place=place,
        thing=thing,
        other=f"{_name(random)}{random.choice(_PLACES)}",
        people=random.choice(["older", "poorer", "newer", "richer"]),
        side=random.choice(["northern", "southern", "eastern", "western"]),
        near=random.choice(["upper", "lower", "old", "new"]),
        work=random.choice(_WORK),
        nth=random.choice(["sixteenth", "seventeenth", "eighteenth", "nineteenth"]),
        weekday=random.choice("Monday Tuesday Wednesday Thursday Friday".split()),
        season=random.choice("spring summer autumn winter".split()),
        material=random.choice(_MATERIALS),
        number=random.randint(12, 480),
    )
