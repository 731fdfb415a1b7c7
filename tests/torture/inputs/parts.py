"""What a PDF and a DOCX are put together from: the objects of one, the members of the other."""

import io
import re
import zipfile
import zlib
from collections.abc import Sequence

OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj\n", re.DOTALL)


def pdf(objects: Sequence[bytes], trailer: bytes = b"/Root 1 0 R", version: bytes = b"1.5") -> bytes:
    """A PDF of these objects, the first of which is the catalogue."""
    out, places = bytearray(b"%%PDF-%b\n" % version), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d %b >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, table)
    return bytes(out)


def page(content: bytes, more: bytes = b"", others: Sequence[bytes] = ()) -> bytes:
    """A PDF of one page with these operators; `more` is of its resources, `others` are objects 6 and on."""
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> %b >> "
            b"/Contents 5 0 R >>" % more,
            stream(content),
            *others,
        ]
    )


def stream(content: bytes, packed: int = 0, about: bytes = b"") -> bytes:
    """A stream, packed so many times."""
    for _ in range(packed):
        content = zlib.compress(content)
    filters = b"/Filter [%b] " % b" ".join([b"/FlateDecode"] * packed) if packed else b""
    return b"<< %b%b /Length %d >>\nstream\n%b\nendstream" % (filters, about, len(content), content)


def unpacked(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {item.filename: archive.read(item) for item in archive.infolist()}
    except Exception:  # it was changed at its bytes before
        return {}


def packed(members: dict[str, bytes], level: int = 1) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()
