"""Attributes, a preset, a corpus, a codec and a model for fadernets; `pyproject.toml` names them as entry points."""
