"""Edits of a piece: its notes on the grid, what faders ask of it, the edited roll, and notes again.

`file_edit` is the whole way from file to file; `roll_edit` moves the model's own faders through `fadernets.decoding`,
`beyond_model` all others. Nothing here needs the training framework.
"""
