"""What is done to the bytes of a MusicXML file: text that is broken or hostile, and compressed files that are.

Each takes a random.Random and bytes, and gives bytes.
"""

import io
import struct
import zipfile

SECRET = "/etc/passwd"  # what an entity asks for: no answer may hold a line of it


def entity(rng, data):
    """Entities that grow, that ask for another file, that nobody declared."""
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    inside = rng.choice(
        (
            f'<!ENTITY a0 "ha">{laughs}<!ENTITY x "&a11;">',
            f'<!ENTITY x SYSTEM "file://{SECRET}">',
            f'<!ENTITY % d SYSTEM "file://{SECRET}">%d;<!ENTITY x "y">',
            '<!ENTITY x "' + "y" * 100_000 + '">',
            "<!ELEMENT a ANY>",
        )
    )
    head = rng.choice((f"<!DOCTYPE score-partwise [{inside}]>", f'<!DOCTYPE x SYSTEM "file://{SECRET}">', ""))
    return head.encode() + data.replace(b"A song", b"&x;" * rng.choice((1, 1000)), 1)


def deep(rng, data):
    many = rng.choice((60, 70, 100_000))
    return data.replace(b"<part ", b"<a>" * many + b"</a>" * many * rng.randint(0, 1) + b"<part ", 1)


def flipped(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 30)) if data else 0):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def cut(rng, data):
    return data[: rng.randint(0, len(data))]


def without_a_part(rng, data):
    at = rng.randint(0, len(data))
    return data[:at] + data[at + rng.choice((1, 20, 500)) :]


def encoded(rng, data):
    """In another encoding, with or without a word on it."""
    name = rng.choice(("utf-16", "utf-16-le", "latin-1", "utf-7", "utf-32", "cp037"))
    said = rng.choice((name, "utf-8", "nonsense", "utf-16"))
    text = f'<?xml version="1.0" encoding="{said}"?>' + data.decode(errors="replace")
    return text.encode(name, errors="replace")


def odd_start(rng, data):
    return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\n \t", b"\0", b"<?xml version='9'?>", b"MThd", b"<!--")) + data


def notes_of_xml(rng, data):
    """Comments, instructions and unparsed text in the middle."""
    extra = rng.choice((b"<!--" + b"x" * 1000 + b"-->", b"<?php echo 1 ?>", b"<![CDATA[<note>]]>", b"<!-- -- -->"))
    return data.replace(b"<note>", extra + b"<note>", rng.choice((1, 50)))


def long_attribute(rng, data):
    return data.replace(b"<note>", b'<note a="' + b"y" * rng.choice((100, 100_000)) + b'">', 1)


TEXTS = (entity, entity, deep, flipped, cut, without_a_part, encoded, odd_start, notes_of_xml, long_attribute)


def packed(rng, data):
    """A compressed file as they are."""
    return _zip({"META-INF/container.xml": _container("score.xml"), "score.xml": data}, rng)


def packed_without_container(rng, data):
    return _zip({rng.choice(("a.xml", "../../a.xml", "a.musicxml", "a.txt")): data}, rng)


def packed_elsewhere(rng, data):
    """A container that names another file, or that is none."""
    inner = rng.choice(
        (_container(SECRET), _container("../" * 9 + SECRET[1:]), _container("nothing.xml"), b"<a>" * 90, b"")
    )
    return _zip({"META-INF/container.xml": inner, "score.xml": data}, rng)


def bomb(rng, data):
    """Blanks that unpack to a thousand times their size."""
    many = rng.choice((10**6, 40 * 2**20))
    return _zip({"META-INF/container.xml": _container("score.xml"), "score.xml": data + b" " * many}, rng)


def bomb_of_elements(rng, data):
    inside = b"<a/>" * rng.choice((100_000, 3_000_000))
    return _zip({"score.xml": data.replace(b"<part ", inside + b"<part ", 1)}, rng)


def packed_twice(rng, data):
    return packed(rng, packed(rng, data))


def many_files(rng, data):
    return _zip({**{f"{i}.xml": b"" for i in range(rng.choice((20, 1200)))}, "0.xml": data}, rng)


def damaged_zip(rng, data):
    """A directory that lies, a file that is cut, one that is said to be encrypted."""
    whole = bytearray(packed(rng, data))
    at = whole.rfind(b"PK\x01\x02")
    kind = rng.randrange(4)
    if kind == 0:
        whole[at + 24 : at + 28] = struct.pack("<I", rng.choice((0, 10, 2**32 - 1)))
    elif kind == 1:
        whole[at + 8] |= 1
    elif kind == 2:
        whole[at + 42 : at + 46] = struct.pack("<I", rng.choice((1, 2**31)))
    else:
        return bytes(whole[: rng.randint(4, len(whole))])
    return bytes(whole)


PACKINGS = (
    packed, packed, packed_without_container, packed_elsewhere, bomb, bomb_of_elements, packed_twice, many_files,
    damaged_zip,
)  # fmt: skip


def _container(path):
    return f'<container><rootfiles><rootfile full-path="{path}"/></rootfiles></container>'.encode()


def _zip(files, rng):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as file:
        for name, content in files.items():
            kind = zipfile.ZIP_DEFLATED if len(content) > 10**6 else None  # or a bomb would be none
            file.writestr(zipfile.ZipInfo(name), content, kind)
    return out.getvalue()
