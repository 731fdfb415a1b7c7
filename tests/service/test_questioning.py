"""From a sentence to the questions that it answers, and the sentences that make none."""

from collections import Counter

import pytest

from service.questioning import LONGEST, questions

SEEN = Counter(
    "Apollo Russia Venezuela Tesla Skerra Marlow Istanbul bridge construction scientists church police".split()
)


def made(sentence: str, title: str = "Notes") -> list[tuple[str, str]]:
    """The questions that a sentence makes, each with the words that answer it."""
    return [(question, sentence[start:end]) for question, start, end in questions(sentence, title, SEEN)]


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("The Marlow Bridge was opened on 4 May 1931.", "When was the Marlow Bridge opened?", "4 May 1931"),
        ("Oskar Lindqvist was born in Västervik in 1842.", "When was Oskar Lindqvist born in Västervik?", "1842"),
        ("Marie Curie and Pierre Curie were married in July 1895.",
         "When were Marie Curie and Pierre Curie married?", "July 1895"),
        ("Apollo 11 Mission Control was opened in 1968.", "When was Apollo 11 Mission Control opened?", "1968"),
        ("The Marlow Tunnel will be opened in 2031.", "When will the Marlow Tunnel be opened?", "2031"),
        ("On March 3, 1945, the Marlow Bridge was formally closed to traffic.",
         "When was the Marlow Bridge formally closed to traffic?", "March 3, 1945"),
        ("In 1990, during the war, the old Marlow mill was sold, which pleased few.",
         "When was the old Marlow mill sold?", "1990"),
        ("Basil Hume, Archbishop of Westminster, was born in Newcastle in 1923.",
         "When was Basil Hume born in Newcastle?", "1923"),
        ("Albert Einstein (a physicist) was born in Ulm in 1879.", "When was Albert Einstein born in Ulm?", "1879"),
        ("Construction of the Marlow Bridge was completed in June 1931.",
         "When was construction of the Marlow Bridge completed?", "June 1931"),
    ],
)  # fmt: skip
def test_what_was_done_at_a_date_makes_a_question_when(sentence: str, question: str, answer: str) -> None:
    assert made(sentence)[0] == (question, answer)


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("Russia approved a $2 billion loan to Venezuela in September 2009.",
         "When did Russia approve a $2 billion loan to Venezuela?", "September 2009"),
        ("In December 2018, Russia sent two bombers to Venezuela.",
         "When did Russia send two bombers to Venezuela?", "December 2018"),
        ("Tesla died on 7 January 1943 in New York.", "When did Tesla die?", "7 January 1943"),
        ("The Tünel opened to the public in 1875.", "When did the Tünel open to the public?", "1875"),
        ("Venezuela left the Gold League in 1901 and returned twice.",
         "When did Venezuela leave the Gold League?", "1901"),
    ],
)  # fmt: skip
def test_a_verb_whose_forms_are_known_is_turned(sentence: str, question: str, answer: str) -> None:
    assert made(sentence) == [(question, answer)]


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("The Marlow Bridge was designed by Edith Harrow.", "Who designed the Marlow Bridge?", "Edith Harrow"),
        ("The Glass Mountain was written by Oskar Lindqvist in two summers.",
         "Who wrote the Glass Mountain?", "Oskar Lindqvist"),
        ("The Skerra comet was discovered in 1894 by Ida Brandt.", "Who discovered the Skerra comet?", "Ida Brandt"),
        ("Maria Keller was the first mayor of Marlow.", "Who was the first mayor of Marlow?", "Maria Keller"),
        ("The present king of Skerra is Olaf Berg.", "Who is the present king of Skerra?", "Olaf Berg"),
        ("Skerra is the largest island in the Farrow Sea.", "What is the largest island in the Farrow Sea?", "Skerra"),
        ("The tallest building in Marlow is the Olaf Tower.",
         "What is the tallest building in Marlow?", "the Olaf Tower"),
        ("The capital of Skerra is Port Anning, a quiet town.", "What is the capital of Skerra?", "Port Anning"),
        ("The Marlow Press is based in Dunmore.", "Where is the Marlow Press based?", "Dunmore"),
        ("Tesla was born in Smiljan.", "Where was Tesla born?", "Smiljan"),
        ("Skerra has about 1,400 inhabitants.", "How many inhabitants does Skerra have?", "about 1,400"),
        ("Russia and Venezuela have two joint banks.", "How many joint banks do Russia and Venezuela have?", "two"),
    ],
)  # fmt: skip
def test_names_places_and_numbers_are_asked_for(sentence: str, question: str, answer: str) -> None:
    assert (question, answer) in made(sentence)


def test_one_sentence_may_answer_two_questions() -> None:
    assert made("The Marlow Bridge was designed by Edith Harrow in 1925.") == [
        ("When was the Marlow Bridge designed by Edith Harrow?", "1925"),
        ("Who designed the Marlow Bridge?", "Edith Harrow"),
    ]


def test_what_has_no_name_is_asked_about_only_where_it_is_the_title() -> None:
    sentence = "The saxophone was developed by Adolphe Sax in 1846."
    assert made(sentence) == made(sentence, "Saxophone quartet") == []
    assert made("In 1846 our saxophone was developed by Adolphe Sax.", "Saxophone") == []
    for title in ("Saxophone", "The saxophone"):
        assert ("Who developed the saxophone?", "Adolphe Sax") in made(sentence, title)


@pytest.mark.parametrize(
    ("sound", "crooked"),
    [
        ("Tesla was honoured in 1931.", "He was honoured in 1931."),
        ("The Marlow Bridge was opened in 1931.", "This Marlow Bridge was opened in 1931."),
        ("In 1931 the Marlow Press was sold.", "In 1931 their Marlow Press was sold."),
        ("The Marlow Bridge was named for Tesla in 1931.", "The Marlow Bridge was named for him in 1931."),
        ("Russia sold ships to Venezuela in 1931.", "Russia sold them to Venezuela in 1931."),
    ],
)
def test_what_leans_on_another_sentence_makes_no_question(sound: str, crooked: str) -> None:
    assert made(sound)
    assert not made(crooked)


@pytest.mark.parametrize(
    ("sound", "crooked"),
    [
        ("The Marlow Bridge was opened in 1931.", "But the Marlow Bridge was opened in 1931."),
        ("Tesla was awarded the prize in 1931.", "While Tesla was awarded the prize in 1931, it rained."),
        ("The Marlow Bridge was opened in 1931.", "Police said the Marlow Bridge was opened in 1931."),
        ("The minister Olaf Berg was born in 1842.", "The minister wrote Olaf Berg was born in 1842."),
        ("The minister Olaf Berg was born in 1842.", "The minister claimed Olaf Berg was born in 1842."),
        ("The Marlow Bridge was closed in 1931.", "The Marlow Bridge was opened and the mill was closed in 1931."),
        ("The Marlow Bridge was built in 1931.", "The Marlow Bridge was painted and built in 1931."),
        ("The mayor of Marlow was born in 1931.", "The man who led Marlow was born in 1931."),
        ("Russia bought ships in 1931.", "Russia bought ships built in 1931."),
        ("Russia bought ships in 1931.", "Russia bought ships repaired in 1931."),
    ],
)
def test_more_than_one_clause_makes_no_question(sound: str, crooked: str) -> None:
    assert made(sound)
    assert not made(crooked)


@pytest.mark.parametrize(
    ("sound", "crooked"),
    [
        ("The Marlow bridge was opened in 1931.", "The bridge was opened in 1931."),
        ("Marlow scientists were awarded the prize in 1931.", "Scientists were awarded the prize in 1931."),
        ("New Reykjavik was founded in 1931.", "Reykjavik was founded in 1931."),  # a name, or only the first word?
        ("Marlow bridges were closed in 1931.", "Several Marlow bridges were closed in 1931."),
        ("Marlow pupils were awarded the prize in 1931.", "Over 10% of Marlow pupils were awarded the prize in 1931."),
    ],
)
def test_what_has_no_name_makes_no_question(sound: str, crooked: str) -> None:
    assert made(sound)
    assert not made(crooked)


@pytest.mark.parametrize(
    ("sound", "crooked"),
    [
        ("Marlow was besieged in 1931.", "Marlow was besieged in 1931–1935."),
        ("Marlow was besieged in 1931.", "Marlow was besieged in 1931, 1935 and 1940."),
        ("Marlow was besieged in 1931.", "Marlow was besieged in 1931 and 1935."),
        ("Marlow was besieged in 1931.", "Marlow was besieged in May."),
        ("Marlow was besieged in 1931.", "Marlow was besieged in 19312 days."),
        ("Marlow was besieged in 1931.", "Marlow was besieged early in 1931."),
        ("Marlow was sold to Russia in 1935.", "Marlow was sold in March 1931 to Russia in 1935."),
        ("Marlow was voted the finest town in 1931.", "Marlow was voted in 1931 as the finest town."),
    ],
)
def test_what_has_no_single_date_at_its_end_makes_no_question(sound: str, crooked: str) -> None:
    assert made(sound)
    assert not made(crooked)


@pytest.mark.parametrize(
    ("sound", "crooked"),
    [
        ("The Marlow Bridge was built by Ida Berg.", "The Marlow Bridge was hit by Hurricane Ida."),
        ("The Marlow Bridge was built by Ida Berg.", "The Marlow Bridge was built by two brothers."),
        ("Marlow is the finest city of Skerra.", "Marlow is the city of New Marlow."),
        ("Marlow is the capital of the Farrow Sea.", "Marlow is the reason for the Farrow War."),
        ("Tesla is the oldest language of Skerra.", "Tesla is the word in Skerra language."),
        ("Maria Keller was the mayor of Marlow.", "Maria Keller was the mayor."),
        ("Skerra has two villages.", "Skerra has two more villages."),
        ("Tesla is based in Marlow.", "Tesla is based in part on rumours."),
    ],
)
def test_what_is_no_name_place_or_number_is_not_asked_for(sound: str, crooked: str) -> None:
    assert made(sound)
    assert not made(crooked)


@pytest.mark.parametrize(
    "crooked",
    ['"Marlow Bridge', "Marlow (Bridge", "'Marlow Bridge", "Marlow — Bridge", "Marlow_Bridge", "Marlow / Bridge"],
)
def test_signs_that_need_their_sentence_make_no_question(crooked: str) -> None:
    assert made("The Marlow Bridge was opened in 1931.")
    assert not made(f"The {crooked} was opened in 1931.")


def test_a_question_is_short() -> None:
    for name in ("Marlow Bridge of Dunmore and Skerra", "Marlow Bridge Company of Dunmore and Skerra"):
        clause = "opened to the people of Port Anning in New Westminster"
        assert bool(made(f"The {name} was {clause} in 1931.")) == (len(f"When was the {name} {clause}?") <= LONGEST)


def test_an_empty_sentence_makes_no_question() -> None:
    assert made("") == []
