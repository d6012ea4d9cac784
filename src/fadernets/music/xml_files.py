"""XML from outside, as a tree: plain or in a compressed MusicXML file (.mxl), without entities and within limits.

No DTD is read, no entity is declared and no other file is opened; depth, elements and bytes are bounded, packed and
unpacked. Comments and processing instructions are dropped.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.parsers import expat

from fadernets.errors import FadernetsError, first_line, in_megabytes
from fadernets.music.opening import ZIP

MOST_BYTES = 32 * 2**20  # of XML, unpacked; a symphony's score has about 20 MB
BYTES_AN_ELEMENT = 16  # of XML at least, on average: with shorter ones a tree would take a hundred times its file
MOST_DEPTH = 64
MOST_FILES = 1000  # in a compressed file
CONTAINER = "META-INF/container.xml"
MOST_CONTAINER = 2**16  # bytes


class ScoreError(FadernetsError):
    """A file that cannot be read as a score."""


@dataclass(frozen=True)
class XmlFile:
    """A tree, and what stands before it in its file."""

    root: ElementTree.Element
    doctype: str  # the declaration as it is written again; empty where there is none
    packed: bool  # whether it came in a compressed file


def read_xml(data: bytes, name: str, most: int = MOST_BYTES) -> XmlFile:
    """The tree of a file's bytes; `most` bytes of XML are read. Raises ScoreError."""
    packed = data[:4] == ZIP
    text = _unpacked(data, name, most) if packed else data
    if len(text) > most:
        raise ScoreError(f"{name}: {in_megabytes(len(text))} of XML; at most {in_megabytes(most)} are read")
    return XmlFile(*_tree(text, name, most), packed)


def packed_xml(text: bytes, inner: str = "score.musicxml") -> bytes:
    """XML as a compressed MusicXML file; the same bytes for the same XML."""
    container = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<container><rootfiles><rootfile full-path="{inner}" '
        'media-type="application/vnd.recordare.musicxml+xml"/></rootfiles></container>\n'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for path, content in ((CONTAINER, container.encode()), (inner, text)):
            info = zipfile.ZipInfo(path)
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, content)
    return out.getvalue()


def _unpacked(data: bytes, name: str, most: int) -> bytes:
    """The score in a compressed file. Raises ScoreError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if len(file.infolist()) > MOST_FILES:
                raise ScoreError(f"{name}: {len(file.infolist())} files in one; at most {MOST_FILES} are looked at")
            names = set(file.namelist())
            if CONTAINER in names:
                container, _ = _tree(_member(file, CONTAINER, name, MOST_CONTAINER), name, MOST_CONTAINER)
                paths = [row.get("full-path", "") for row in container.iter() if _local(row.tag) == "rootfile"]
            else:
                paths = [each for each in sorted(names) if each.endswith((".musicxml", ".xml"))]
            path = next((each for each in paths if each in names), None)
            if path is None:
                raise ScoreError(f"{name}: is a compressed file without a score")
            return _member(file, path, name, most)
    except ScoreError:
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ScoreError(f"{name}: is damaged ({first_line(error)})") from None


def _member(file: zipfile.ZipFile, path: str, name: str, most: int) -> bytes:
    with file.open(path) as member:
        text = member.read(most + 1)
    if len(text) > most:
        raise ScoreError(f"{name}: unpacks to more than {in_megabytes(most)} of XML; no more are read")
    return text


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _tree(text: bytes, name: str, most: int) -> tuple[ElementTree.Element, str]:
    """The root element of XML, and its DOCTYPE. Raises ScoreError."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    doctype: list[str] = []
    depth = count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > MOST_DEPTH:
            raise ScoreError(f"{name}: elements lie more than {MOST_DEPTH} deep in each other")
        if count > most // BYTES_AN_ELEMENT:
            raise ScoreError(f"{name}: more than {most // BYTES_AN_ELEMENT} elements; no more are read")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def declared(kind: str, system: str | None, public: str | None, internal: bool) -> None:
        if internal:
            raise ScoreError(f"{name}: declares a document type of its own, which scores do not need")
        ids = f' PUBLIC "{public}" "{system}"' if public else f' SYSTEM "{system}"' if system else ""
        doctype.append(f"<!DOCTYPE {kind}{ids}>")

    def entity(*_: object) -> None:
        raise ScoreError(f"{name}: declares entities, which scores do not need")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = declared
    parser.EntityDeclHandler = entity
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(text, True)
        root = builder.close()
    except ScoreError:
        raise
    except (expat.ExpatError, LookupError, ValueError, AssertionError) as error:
        raise ScoreError(f"{name}: is not XML that can be read ({error})") from None
    return root, "".join(doctype)
