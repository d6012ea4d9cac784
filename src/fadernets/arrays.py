"""Names of the array types that every subpackage shares; a comment or docstring beside each use gives the shape.

Letters in shapes: S segments, W windows, C clips, N notes or rows, T steps, K candidates or components, B batch,
Z latent size, P pitches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # of any type
Cells = NDArray[np.uint8]  # [..., 16, 88] of 0 off, 1 onset, 2 hold
States = NDArray[np.uint8]  # [..., 32] of the states of a melody
Tokens = NDArray[np.uint16]  # [..., 100] of performance tokens, on disk
Bytes = NDArray[np.uint8]  # any other array of bytes, such as packed cells
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]
Integers32 = NDArray[np.int32]  # on disk
Indices = NDArray[np.int64]  # positions in another array
Rows = NDArray[np.int64]  # [N, 3] notes: onset step, end step, pitch
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Planes = NDArray[np.float32]  # [B, 16, 176]: onsets, then holds, of each step
Latents = NDArray[np.float32]  # [B, Z]
