"""DOCX files that no writer made: changed at their members, or generated of any elements."""

import random
import re
from copy import deepcopy

from lxml import etree

from tests.torture.inputs.examples import PROSE, valid
from tests.torture.inputs.markup import OF_TAGS
from tests.torture.inputs.octets import NUMBERS, OF_BYTES, Change
from tests.torture.inputs.parts import packed, unpacked


def member_changed(data: bytes, chance: random.Random) -> bytes:
    """A member, mostly the document's own, is changed and packed again."""
    members = unpacked(data)
    if not members:
        return data
    own = [name for name in members if name == "word/document.xml"]
    name = chance.choice(own if own and chance.random() < 0.7 else sorted(members))
    change = element_changed if chance.random() < 0.8 else chance.choice([*OF_TAGS, *OF_BYTES])
    return packed(members | {name: change(members[name] or b"<a/>", chance)})


def element_changed(data: bytes, chance: random.Random) -> bytes:
    """One element is moved, repeated, dropped or wrapped, or its name, its words or an attribute is something else."""
    try:
        root = etree.fromstring(data)
    except etree.XMLSyntaxError:  # it was changed before
        return data
    elements = [each for each in root.iter() if isinstance(each.tag, str)]
    one, other = chance.choice(elements), chance.choice(elements)
    what = chance.choice(["move", "repeat", "drop", "wrap", "name", "words", "attribute", "attribute"])
    if what == "words":
        one.text = chance.choice(["", " ", "x" * 5_000, "1932", "\u202e", "<b>", *NUMBERS])
    elif what == "attribute":
        name = chance.choice([*one.attrib, *other.attrib, "val"])
        one.set(name, chance.choice([*NUMBERS, "x" * 5_000, "true", "continue", "restart", "Heading1", "rId1", "../x"]))
    elif what == "name":
        one.tag = other.tag
    elif one is not root and one not in other.iterancestors() and one is not other:
        copied = deepcopy(one)
        if what != "repeat":
            one.getparent().remove(one)
        for _ in range({"move": 1, "repeat": chance.choice((1, 3, 100)), "wrap": 1, "drop": 0}[what]):
            other.append(deepcopy(copied))
        if what == "wrap":
            for _ in range(chance.choice((1, 30, 200))):
                outer = etree.SubElement(other, copied.tag)
                outer.append(other[-2])
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))


def member_dropped(data: bytes, chance: random.Random) -> bytes:
    members = unpacked(data)
    if not members:
        return data
    del members[chance.choice(sorted(members))]
    return packed(members)


def member_renamed(data: bytes, chance: random.Random) -> bytes:
    members = unpacked(data)
    if not members:
        return data
    name = chance.choice(sorted(members))
    other = chance.choice([*members, "../../x", "/etc/x", "word\\document.xml", " ", "x" * 300, "\u202e", name.upper()])
    return packed({other if each == name else each: content for each, content in members.items()})


def generated(chance: random.Random) -> bytes:
    """A document with any elements in its body."""
    parts = [
        "<w:p>",
        "</w:p>",
        "<w:r><w:t>",
        "</w:t></w:r>",
        "<w:tbl>",
        "</w:tbl>",
        "<w:tr>",
        "</w:tr>",
        "<w:tc>",
        "</w:tc>",
    ]
    parts += ["<w:br/>", "<w:tab/>", "<w:pPr><w:pStyle w:val='Heading1'/></w:pPr>", "<w:sdt>", "</w:sdt>", "<w:tcPr/>"]
    parts += [f"<w:tcPr><w:gridSpan w:val='{number}'/></w:tcPr>" for number in NUMBERS]
    whole = [
        f"<w:p><w:r><w:t>{PROSE}</w:t></w:r></w:p>",
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>1932</w:t></w:r></w:p></w:tc></w:tr></w:tbl>",
        "<w:tbl><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>",
    ]
    body = "".join(chance.choices(whole, k=5) if chance.random() < 0.7 else chance.choices(parts, k=20))
    return with_body(body.encode())


def with_body(body: bytes) -> bytes:
    members = dict(unpacked(valid("docx")[0]))
    members["word/document.xml"] = re.sub(
        rb"(<w:body>).*?(<w:sectPr|</w:body>)",
        lambda found: found[1] + body + found[2],
        members["word/document.xml"],
        flags=re.DOTALL,
    )
    return packed(members)


CHANGES: list[Change] = [*[member_changed] * 8, member_dropped, member_renamed]
