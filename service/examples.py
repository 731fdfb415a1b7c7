"""One example for each call of the HTTP interface, from the seed documents; a test holds them to the models."""

from typing import Any

_DOCUMENT = {
    "id": "65de296d7987725a",
    "title": "Russia–Venezuela relations",
    "uri": "000_4d143e88cdbd4b54.txt",
    "date": None,
    "sha256": "1841bde39011cc67d9a491b1d9bda37041d41fe725dae72df0b55f600ebf5b3f",
    "lang": "en",
}
_SENTENCE = "The Soviet Union established diplomatic relations with Venezuela on March 3, 1945."
_PASSAGE = {
    "id": "65de296d7987725a-584-998",
    "start": 584,
    "end": 998,
    "text": (
        "The Soviet Union established diplomatic relations with Venezuela on March 3, 1945. In 1952, during the "
        "dictatorship of Marcos Pérez Jiménez, Venezuelan security police apprehended and deported suspected Russian "
        "spies, which caused bitter protests back and forth between the two countries, leading to Venezuela breaking "
        "off relations with the Soviets on June 13, 1952. The relations were restored on April 16, 1970."
    ),
}
_INDEX = {"generation": 1, "embedder": "all-MiniLM-L6-v2", "reader": "attest-minilm-l6"}
_LISTED = {**_DOCUMENT, "url": None, "added": False, "characters": 8930, "passages": 20}
CHANGE: dict[str, Any] = {"documents": [{**_LISTED, "added": True}], "generation": 2}
REMOVED: dict[str, Any] = {"documents": [], "generation": 3}

ASK_REQUEST: dict[str, Any] = {"question": "When did the Soviet Union establish relations with Venezuela?", "top_k": 5}
SEARCH_REQUEST: dict[str, Any] = {
    "question": "When did the Soviet Union establish relations with Venezuela?",
    "top_k": 1,
}
ASK = {
    "id": "0f6f3f0f1d6e4b5f9b9c2a61",
    "question": ASK_REQUEST["question"],
    "status": "answered",
    "answer": "March 3, 1945",
    "confidence": 0.91,
    "reason": None,
    "citations": [
        {
            "document": _DOCUMENT,
            "start": 652,
            "end": 665,
            "quote": "March 3, 1945",
            "sentence": {"start": 584, "end": 666, "text": _SENTENCE},
            "passage": _PASSAGE,
            "section": "Background",
            "page": None,
            "score": 0.9266,
        }
    ],
    "differing": [],
    "related": [],
    "warnings": [],
    "index": _INDEX,
    "timings_ms": {"retrieve": 12.1, "read": 48.3, "total": 60.5},
}
SEARCH = {
    "hits": [
        {
            "passage": _PASSAGE,
            "document": _DOCUMENT,
            "scores": {"dense": 0.77326, "lexical": 12.01274, "fused": 0.227273},
        }
    ]
}
DOCUMENTS = {"documents": [_LISTED], "unread": [], "index": _INDEX}
DOCUMENT = {
    **_LISTED,
    "text_sha256": _DOCUMENT["sha256"],
    "sections": [{"title": "Background", "start": 583, "end": 999}],
    "pages": [],
}
MARKUP = {"sha256": _DOCUMENT["sha256"], "runs": [{"start": 570, "end": 572, "styles": ["heading", "sign"]}]}
SUGGESTIONS = {"questions": ["When did the Soviet Union establish diplomatic relations with Venezuela?"]}
HEALTH = {"status": "ok"}


def response(example: dict[str, Any]) -> dict[str, Any]:
    """Describe a success by an example."""
    return {"content": {"application/json": {"example": example}}}
