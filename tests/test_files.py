"""Files are written whole or not at all."""

from fadernets import files


def test_a_long_name_can_be_written(tmp_path):
    out = tmp_path / ("x" * 251 + ".mid")
    files.write_atomic(out, b"abc")
    assert out.read_bytes() == b"abc"
