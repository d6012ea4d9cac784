"""XML from outside: what is a score comes as a tree; what could do harm, or is none, is one line."""

import io
import struct
import zipfile

import pytest
from made_scores import SONG, packed

from fadernets.music import xml_files
from fadernets.music.opening import is_xml
from fadernets.music.xml_files import ScoreError, packed_xml, read_xml


def refused(data, **options):
    with pytest.raises(ScoreError) as error:
        read_xml(data, "it.xml", **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return out.getvalue()


def test_plain_and_packed():
    plain = read_xml(SONG, "it.xml")
    assert (plain.root.tag, plain.packed) == ("score-partwise", False)
    assert plain.doctype.startswith(
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http'
    )
    for data in (packed(SONG), packed(SONG, container=False), packed_xml(SONG), packed(SONG, name="../../x.xml")):
        file = read_xml(data, "it.mxl")
        assert file.packed
        assert len(list(file.root.iter())) == len(list(plain.root.iter()))
    assert packed_xml(SONG) == packed_xml(SONG)
    assert read_xml("<a>ü</a>".encode("utf-16"), "it.xml").root.text == "ü"
    assert read_xml(b'<!DOCTYPE a SYSTEM "a.dtd"><a/>', "it.xml").doctype == '<!DOCTYPE a SYSTEM "a.dtd">'


def test_what_looks_like_xml():
    for data in (SONG, packed(SONG), b"\xef\xbb\xbf  <a/>", "<a/>".encode("utf-16")):
        assert is_xml(data)
    for data in (b"", b"MThd\0\0\0\6", b"RIFF....RMID"):
        assert not is_xml(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not XML that can be read (no element found"),
        (b"<a>", "is not XML that can be read"),
        (b"<a>&x;</a>", "is not XML that can be read (undefined entity"),
        (b"<?xml version='1.0' encoding='nonsense'?><a/>", "is not XML that can be read (unknown encoding"),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "declares a document type of its own"),
        (b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "declares a document type of its own"),
        (b"<a>" * 65 + b"</a>" * 65, "elements lie more than 64 deep"),
        (b"PK\x03\x04" + b"x" * 99, "is damaged (File is not a zip file)"),
        (packed(SONG)[:400], "is damaged"),
        (zipped(a_txt=b"hello"), "is a compressed file without a score"),
        (
            zipped(**{"META-INF__container_xml": "<container/>", "a_xml": "<a/>"}),
            "is a compressed file without a score",
        ),
        (zipped(**{"META-INF__container_xml": b"<a>" * 99}), "elements lie more than 64 deep"),
    ],
)
def test_what_is_refused(data, message):
    assert refused(data).startswith(f"it.xml: {message}")


def test_limits():
    long = b"<a>" + b" " * 5000 + b"</a>"
    assert refused(long, most=1000) == "it.xml: 4.9 kB of XML; at most 1000 bytes are read"
    bomb = packed(b"<a>" + b" " * 10**7 + b"</a>")
    assert len(bomb) < 50_000
    assert refused(bomb, most=10**6) == "it.xml: unpacks to more than 976.6 kB of XML; no more are read"
    many = zipped(**{f"f{i}": "" for i in range(xml_files.MOST_FILES + 1)})
    assert (
        refused(many)
        == f"it.xml: {xml_files.MOST_FILES + 1} files in one; at most {xml_files.MOST_FILES} are looked at"
    )
    short = b"<a>" + b"<b/>" * 200 + b"</a>"
    assert refused(short, most=1600) == "it.xml: more than 100 elements; no more are read"


def test_a_file_that_lies_about_its_size_is_still_bounded():
    data = bytearray(packed(b"<a>" + b" " * 10**6 + b"</a>", container=False))
    at = data.find(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)  # the directory says 10 bytes
    assert refused(bytes(data), most=10**5).startswith("it.xml: ")


def test_an_encrypted_file_is_one_line():
    data = bytearray(packed(SONG, container=False))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        data[at + offset] |= 1
    assert "encrypted" in refused(bytes(data))
