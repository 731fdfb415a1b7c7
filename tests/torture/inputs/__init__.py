"""Files that no writer made: valid ones changed at their bytes and at their structure, and generated ones."""

import random
from collections.abc import Callable

from tests.torture.inputs import docx, html, pdf, text
from tests.torture.inputs.examples import Kind
from tests.torture.inputs.octets import Change

CHANGES: dict[Kind, list[Change]] = {
    "text": text.CHANGES,
    "html": html.CHANGES,
    "pdf": pdf.CHANGES,
    "docx": docx.CHANGES,
}
GENERATED: dict[Kind, Callable[[random.Random], bytes]] = {
    "text": text.generated,
    "html": html.generated,
    "pdf": pdf.generated,
    "docx": docx.generated,
}
