"""The requests and responses of the HTTP interface, version 1, that are not the answer itself."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from index.documents import DocumentRef
from index.retrieval import Scores
from index.styles import Run
from service import examples
from service.answering import MAX_QUESTION, MAX_TOP_K, TOP_K, IndexRef, PassageSlice

NOT_BLANK = r"[^\s\x1c-\x1f\x85\ufeff]"  # what takes \s for more or less, here or in a client, agrees on this


def _not_blank(question: str) -> str:
    if not re.search(NOT_BLANK, question):
        raise ValueError("the question is empty")
    return question


Question = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_QUESTION,
        description="a question in natural language",
        examples=["When did the Soviet Union establish relations with Venezuela?"],
        json_schema_extra={"pattern": NOT_BLANK},
    ),
    AfterValidator(_not_blank),
]


def _whole(number: object) -> object:
    """5.0 is an integer to JSON."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


TopK = Annotated[
    int,
    Field(ge=1, le=MAX_TOP_K, strict=True, description="how many passages are retrieved"),
    BeforeValidator(_whole),
]


class Request(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class AskRequest(Request):
    """A question to answer."""

    model_config = ConfigDict(json_schema_extra={"example": examples.ASK_REQUEST})

    question: Question
    top_k: TopK = TOP_K
    documents: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=1_000)] | None = (
        Field(None, description="ids of the documents to search; null for all")
    )
    min_confidence: Annotated[float, Field(ge=0, le=1, strict=True)] | None = Field(
        None, description="the least confidence to answer with; null for the calibrated threshold"
    )


class SearchRequest(Request):
    """A question to find passages for."""

    model_config = ConfigDict(json_schema_extra={"example": examples.SEARCH_REQUEST})

    question: Question
    top_k: TopK = TOP_K


class HitView(BaseModel):
    """A retrieved passage with its scores."""

    passage: PassageSlice
    document: DocumentRef
    scores: Scores


class SearchResponse(BaseModel):
    """The best passages, best first."""

    hits: list[HitView]


class DocumentView(BaseModel):
    """A document; `characters` counts code points of its text, `url` is where it says it comes from.

    `lang` is its language as a BCP 47 tag, null where it is not sure. It was `added` by itself, or is the folder's.
    """

    id: str
    title: str
    uri: str
    date: str | None
    sha256: str
    lang: str | None
    url: str | None
    added: bool
    characters: int
    passages: int


class ChangeResponse(BaseModel):
    """The documents that were added, and the generation of the index that has the change and is served."""

    documents: list[DocumentView]
    generation: int


class UnreadView(BaseModel):
    """A file, or a folder where `path` ends with a slash, that could not be read, and why."""

    path: str
    reason: str


class DocumentsResponse(BaseModel):
    """All documents, in the order of their paths, and the first 1,000 files that could not be read.

    `more_unread` counts those beyond; it is left out where there are none.
    """

    documents: list[DocumentView]
    unread: list[UnreadView]
    more_unread: int = 0
    index: IndexRef


class SectionView(BaseModel):
    """The slice of a document below one heading."""

    title: str | None
    start: int
    end: int


class DocumentDetail(DocumentView):
    """A document with its sections, and where its pages begin, if it has pages.

    `sha256` is that of the file, `text_sha256` that of the text, as UTF-8, that offsets refer to.
    """

    text_sha256: str
    sections: list[SectionView]
    pages: list[int]


class MarkupResponse(BaseModel):
    """The slices of a document's text that are more than plain words."""

    sha256: str
    runs: list[Run]


class SuggestionsResponse(BaseModel):
    """Questions to begin with."""

    questions: list[str]


class Health(BaseModel):
    """`status` is always `ok`: what is not ready yet, or cannot be, is told by a problem instead."""

    status: str
