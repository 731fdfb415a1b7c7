"""Values: what is the same date, amount or name however it is written, and what is not."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.values import Amount, Date, Name, differ, value


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("March 3, 1945", Date(1945, 3, 3)),
        ("in 1945", Name(("in", "1945"))),
        ("March 2013", Date(2013, 3, None)),
        ("3 March", Date(None, 3, 3)),
        ("1945", Amount(Decimal("1945"), "")),
        ("$1.6 billion", Amount(Decimal("1600000000"), "usd")),
        ("44.5%", Amount(Decimal("44.5"), "percent")),
        ("two hundred and fifty soldiers", Amount(Decimal("250"), "soldier")),
        ("-5", Amount(Decimal("-5"), "")),
        ("President Nicolás Maduro", Name(("nicolas", "maduro"))),
        ("The Old Bridge!", Name(("old", "bridge"))),
        ("number 7", Name(("number", "7"))),
        ("", Name(())),
    ],
)
def test_a_value_is_a_date_an_amount_or_a_name(words: str, expected: object) -> None:
    assert value(words) == expected


ALIKE = [
    [
        *("March 3, 1945", "3 March 1945", "1945-03-03", "1945-3-3", "march 3 1945", "Mar. 3, 1945", "3rd March 1945"),
        *("the 3rd of March, 1945", "On 3 March 1945", "Saturday, 3 March 1945", "on Saturday, March 3rd, 1945."),
        "3\u00a0March\n1945",
    ],
    ["March 2004", "Mar 2004", "March, 2004", "March of 2004", "MARCH 2004"],
    ["September 11", "11 Sept.", "the 11th of September", "Sep 11th"],
    ["5 May 2024", "May 5, 2024"],
    ["1,000,000", "1000000", "1 million", "one million", "a million", "1.0 million", "1,000 thousand"],
    ["4,100,000", "4.1 million"],
    ["8.2 billion", "8,200 million"],
    ["2.01 thousand", "2,010"],
    ["0.5", ".5"],
    ["3", "three", "3.0", "Three.", "(3)"],
    ["25", "twenty-five", "twenty five"],
    ["12", "a dozen", "twelve", "one dozen"],
    ["1,945", "one thousand nine hundred and forty-five", "One thousand nine hundred forty-five"],
    ["250,000", "two hundred and fifty thousand", "250 thousand", "250k"],
    ["103,000 rifles", "one hundred and three thousand rifles"],
    ["1 rifle", "one rifle"],
    ["51.2%", "51.2 percent", "51.2 per cent", "51.2 %", "51.2 pct"],
    ["5%", "five percent", "+5%"],
    ["-5%", "−5 percent"],
    [
        "$5 million",
        "US$5 million",
        "$ 5,000,000",
        "5 million dollars",
        "five million US dollars",
        "$5mn",
        "5 million USD",
    ],
    ["€4bn", "4 billion euros", "€ 4,000,000,000", "four billion euros", "4 billion EUR"],
    ["£1", "1 pound", "one pound"],
    ["¥300", "300 yen"],
    ["₽70", "70 rubles", "seventy roubles"],
    ["Hugo Chávez", "Hugo Chavez", "HUGO CHÁVEZ", "President Hugo Chávez", "Mr. Hugo Cha\u0301vez", "hugo  chávez,"],
    ["Mikhail Mishustin", "Prime Minister Mikhail Mishustin"],
    ["Sergey Lavrov", "Foreign Minister Sergey Lavrov", "the Foreign Minister Sergey Lavrov"],
    ["Kremlin", "the Kremlin", "“Kremlin”", "The Kremlin."],
    ["Straße", "STRASSE"],
    ["ﬁne", "fine"],
]


@pytest.mark.parametrize("ways", ALIKE, ids=lambda ways: ways[0])
def test_these_say_the_same(ways: list[str]) -> None:
    assert {way: value(way) for way in ways} == dict.fromkeys(ways, value(ways[0]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-5", "5"),
        ("−5%", "5%"),
        ("+5%", "-5%"),
        (".5", "5"),
        ("0.5", "5"),
        ("10²", "102"),
        ("$4", "€4"),
        ("$4", "4"),
        ("$4 million", "$4 billion"),
        ("C$4", "$4"),
        ("4 Canadian dollars", "4 US dollars"),
        ("$5 per day", "$5 per week"),
        ("5 %", "5"),
        ("1998–2004", "1998"),
        ("1998-2004", "1998"),
        ("1998–2004", "2004"),
        ("5 to 10", "5"),
        ("2-1", "2"),
        ("5 or more", "5"),
        ("about 5", "5"),
        ("5+", "5"),
        ("1990s", "1990"),
        ("7th", "7"),
        ("10:30", "1030"),
        ("1.500.000", "1.5"),
        ("12345678901234567", "12345678901234568"),
        ("March 2004", "3 March 2004"),
        ("3 March", "3 March 2004"),
        ("March 2004", "2004"),
        ("March 3, 2004", "March 4, 2004"),
        ("3 March 2004", "3 May 2004"),
        ("2004-03-05", "5 May 2004"),
        ("C++", "C"),
        ("C#", "C"),
        ("C++", "C#"),
        ("5 km", "5 miles"),
        ("5 °C", "5 °F"),
        ("three bridges", "three tunnels"),
        ("nineteen forty-five", "64"),
        ("seven eleven", "eighteen"),
        ("the bridge never opened", "the bridge opened"),
        ("not Maduro", "Maduro"),
        ("didn't", "did"),
        ("Vitamin A", "vitamin"),
        ("Hepatitis A", "Hepatitis B"),
        ("AK-103", "AK-104"),
        ("100,000 AK-103", "100,000"),
        ("Chávez", "Hugo Chávez"),
        ("Vice President", "President"),
        ("Foreign Minister", "Defence Minister"),
        ("Vice President of Russia", "President of Russia"),
        ("🌧🌧🌧", "🌞🌞🌞"),
        ("橋", "駅"),
        ("5", ""),
    ],
)
def test_these_do_not_say_the_same(one: str, other: str) -> None:
    assert value(one) != value(other)


FRAGMENTS = [
    *(
        "5",
        "1,000",
        "3.14",
        "-",
        "−",
        "+",
        "$",
        "us$",
        "€",
        "%",
        " ",
        ".",
        ",",
        "(",
        "’",
        "2004-03-03",
        "10:30",
        "²",
        "½",
    ),
    *(" million ", "hundred ", "a ", "and ", "twenty", " March ", " May ", "3rd ", "2004", "the ", "on ", "Monday, "),
    *("President ", "Dr. ", "e\u0301", "İ", "ß", "ﬁ", "٣", "😀", "\ud800", "\x00", "k", "s", "ss"),
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=8).map("".join)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_every_text_has_a_value_whatever_the_case_of_its_ascii_letters(text: str) -> None:
    swapped = "".join(character.swapcase() if character.isascii() else character for character in text)
    assert value(text) == value(swapped) == value(f" {text}\n")
    hash(value(text))


@settings(max_examples=200, deadline=None)
@given(st.dates())
def test_a_date_is_the_same_in_every_order(day: date) -> None:
    month = f"{day:%B}"
    ways = [
        day.isoformat(),
        f"{month} {day.day}, {day.year:04}",
        f"{day.day} {month} {day.year:04}",
        f"{day:%A}, {day.day} {month[:3]}. {day.year:04}",
    ]
    assert {value(way) for way in ways} == {Date(day.year, day.month, day.day)}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**15))
def test_a_number_is_the_same_with_commas_and_without(number: int) -> None:
    assert value(f"{number:,}") == value(str(number)) == Amount(Decimal(number), "")


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**6), st.sampled_from([("thousand", 10**3), ("million", 10**6), ("billion", 10**9)]))
def test_a_scale_is_the_same_as_its_zeros(hundredths: int, scale: tuple[str, int]) -> None:
    word, zeros = scale
    assert value(f"{hundredths // 100}.{hundredths % 100:02} {word}") == value(f"{hundredths * zeros // 100:,}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("March 3, 1945", "3 April 1945"),
        ("1945", "March 3, 1952"),
        ("1945", "1952"),
        ("44.5%", "51 percent"),
        ("two soldiers", "250 soldiers"),
        ("Nicolás Maduro", "Juan Guaidó"),
    ],
)
def test_these_values_differ(one: str, other: str) -> None:
    assert differ(one, other)
    assert differ(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("March 3, 1945", "1945"),
        ("3 March", "March 3, 1945"),
        ("March 3, 1945", "3 March 1945"),
        ("1945", "44.5%"),
        ("44.5%", "$44"),
        ("two soldiers", "250 ships"),
        ("Nicolás Maduro", "President Maduro"),
        ("Nicolás Maduro", "the president of Venezuela"),
        ("to buy rifles", "to sell oil"),
        ("Number Seven", "7"),
        ("Date Palm", "March 3, 1945"),
        ("", ""),
    ],
)
def test_these_do_not_differ(one: str, other: str) -> None:
    assert not differ(one, other)
    assert not differ(other, one)


@settings(max_examples=500, deadline=None)
@given(TEXTS, TEXTS | st.sampled_from(["Date", "Number Five", "March 3, 1945", "5", "Otto Klein"]))
def test_any_two_texts_differ_both_ways_or_not_at_all_and_none_from_itself(one: str, other: str) -> None:
    assert differ(one, other) == differ(other, one)
    assert not differ(one, one)
