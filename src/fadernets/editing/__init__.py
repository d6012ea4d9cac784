"""Edits of a piece: its notes on the grid, what faders ask of it, candidates, the choice among them, and notes again.

`file_edit` is the whole way from file to file; `segment_decoding` and `candidate_choice` move the model's own faders,
`beyond_model` all others. Nothing here needs the training framework.
"""
