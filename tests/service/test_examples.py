"""The examples of the OpenAPI document are true of the seeds and of the models."""

import pytest
from pydantic import BaseModel, TypeAdapter

from service import examples
from service.answering import Answer, Answerer
from service.contract import (
    AskRequest,
    DocumentDetail,
    DocumentsResponse,
    Health,
    SearchRequest,
    SearchResponse,
    SuggestionsResponse,
)


@pytest.mark.parametrize(
    ("example", "model"),
    [
        (examples.ASK_REQUEST, AskRequest),
        (examples.SEARCH_REQUEST, SearchRequest),
        (examples.SEARCH, SearchResponse),
        (examples.DOCUMENTS, DocumentsResponse),
        (examples.DOCUMENT, DocumentDetail),
        (examples.SUGGESTIONS, SuggestionsResponse),
        (examples.HEALTH, Health),
    ],
)
def test_an_example_has_the_fields_of_its_model(example: dict[str, object], model: type[BaseModel]) -> None:
    assert model.model_validate(example).model_dump(include=set(example)) == example


def test_the_example_of_an_answer_is_what_the_seeds_give(seeds: Answerer) -> None:
    example = TypeAdapter(Answer).validate_python(examples.ASK)
    answer = seeds.ask(example.question)
    assert answer.answer == example.answer
    (cited,), (shown,) = answer.citations, example.citations
    assert (cited.document, cited.start, cited.end, cited.passage) == (
        shown.document,
        shown.start,
        shown.end,
        shown.passage,
    )
