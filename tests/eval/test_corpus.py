"""The corpus for measuring: always the same, with facts that stand once in their documents."""

from pathlib import Path

from eval import corpus


def test_a_document_is_always_the_same_and_unlike_others() -> None:
    assert corpus.text(7) == corpus.text(7)
    texts = [corpus.text(number) for number in range(50)]
    assert len({each.text for each in texts}) == len({each.name for each in texts}) == 50
    assert all(500 < len(each.text.split()) < 1_500 for each in texts)


def test_each_fact_stands_once_in_its_document() -> None:
    for number in range(50):
        document = corpus.text(number)
        assert len(document.facts) == 4
        for fact in document.facts:
            assert fact.document == document.name
            assert document.text.count(fact.answer) == 1
            assert corpus.town(number) in fact.question


def test_no_two_towns_have_one_name() -> None:
    assert len({corpus.town(number) for number in range(30_000)}) == 30_000


def test_questions_are_different_and_spread_over_all_documents() -> None:
    found = corpus.questions(50, 120)
    assert len({each.question for each in found}) == 120
    assert len({each.document for each in found[:50]}) == 50
    assert corpus.questions(50, 120) == found
    assert len(corpus.questions(3, 1_000)) == 12  # there are no more


def test_documents_are_written_a_thousand_to_a_folder(tmp_path: Path) -> None:
    corpus.write(tmp_path, 1_002)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000", "001"]
    assert [path.name for path in sorted((tmp_path / "001").iterdir())] == ["001000.md", "001001.md"]
    assert (tmp_path / "000" / "000005.md").read_text() == corpus.text(5).text
