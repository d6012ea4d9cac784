"""Hostile JSON, YAML and CSV: each ends at once, in one line."""

import time

import pytest

from fadernets import structured_text

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)
DEEP, DIGITS = 100_000, "9" * 5000
JSON = [
    ("[" * DEEP, "64 deep"),
    ("[" * DEEP + "]" * DEEP, "64 deep"),
    ('{"a":' * DEEP + "1" + "}" * DEEP, "64 deep"),
    ('["' + '\\"' * DEEP, "Unterminated string"),
    ('{"a": ' + DIGITS + "}", "has 5000 digits; at most 25 are read"),
    ("[1" + "0" * 400 + "]", "has 401 digits"),
    ('{"a": "\\ud800"}', "half a character"),
    ("{", "Expecting property name"),
    ("", "Expecting value"),
]
YAML = [
    ("[" * DEEP, "64 deep"),
    ("- " * DEEP, "64 deep"),
    ("{a: " * DEEP, "64 deep"),
    (BOMB, r"aliases \(\*name\) are not read"),
    ("steps: " + DIGITS, "has 5000 digits"),
    ("day: 2020-99-99", "month must be in 1..12"),
    ("? [a]\n: b", "while constructing a mapping"),
    ("a: !!python/object:os.system x", "could not determine a constructor"),
    ("{", "while parsing"),
    ("a: \x00", "special characters are not allowed"),
]
CSV = [("a,b\n1," + "x" * 200_000, "field larger than field limit"), ('a\n"' + "x\n" * 100_000, "field larger")]


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        *((structured_text.parse_json, *row) for row in JSON),
        *((structured_text.parse_yaml, *row) for row in YAML),
        *((structured_text.parse_csv, *row) for row in CSV),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)[:12]),
)
def test_hostile_text_is_one_line(parse, text, message):
    began = time.perf_counter()
    with pytest.raises(ValueError, match=message) as error:
        parse(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200
    assert time.perf_counter() - began < 2


def test_plain_text_is_read(tmp_path):
    path = tmp_path / "file"
    deep = "[" * 63 + "]" * 63
    path.write_text('{"a": [1, -2.5e3, null, "[[{\\"" ], "b": ' + deep + ', "c": "' + "[" * 200 + '"}')
    read = structured_text.read_json(path)
    assert (read["a"], read["c"]) == ([1, -2500.0, None, '[[{"'], "[" * 200)
    assert structured_text.parse_json('"\\ud83c\\udfb9"') == "\N{MUSICAL KEYBOARD}"
    path.write_text("a: [1, 0x10, 1e-3]\nb: {c: no}\n")
    assert structured_text.read_yaml(path) == {"a": [1, 16, "1e-3"], "b": {"c": False}}
    path.write_text('a,b\r\n1,"x\ny"\r\n2\r\n', newline="")
    assert structured_text.read_csv(path) == [{"a": "1", "b": "x\ny"}, {"a": "2", "b": None}]


def test_long_files_and_other_encodings(tmp_path):
    path = tmp_path / "file"
    path.write_text("[" + " " * 100 + "]")
    assert structured_text.read_json(path, 102) == []
    with pytest.raises(ValueError, match=r"^it is longer than 101 bytes$"):
        structured_text.read_json(path, 101)
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"^it is not UTF-8$"):
        structured_text.read_json(path)
    path.write_text("a: " + "x" * structured_text.MOST_YAML_BYTES)
    with pytest.raises(ValueError, match="is longer than 256 kB"):
        structured_text.read_yaml(path)


@pytest.mark.parametrize(("text", "cell"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("-1", "'-1"), ("a=1", "a=1"), ("", "")])
def test_no_cell_is_a_formula(text, cell):
    assert structured_text.safe_cell(text) == cell
