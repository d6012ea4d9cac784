"""What every model's recipe section knows: sizes and the weight of the KL term."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """A recipe's `model` section: what every model knows. Weights are per segment, in nats summed over it."""

    z: int = 128  # size of a code; a model with one code has it twice as large
    encoder: int = 192  # hidden size of each direction
    decoder: int = 384
    embedding: int = 128  # of a token
    plan: int = 96  # on the grid: size of the per-step plan computed from the codes
    input_dropout: float = 0.3  # probability that a fed-back step or token is blanked in training
    beta: float = 0.02  # weight of the KL term, in nats summed over dimensions
    beta_start: float = 0.0  # share of the run before it rises, or steps where above 1
    beta_ramp: float = 0.2  # the same of the time in which it rises
    posterior: str = "free"  # or constrained: the mean of a part of each code lies on a simplex (models.constrained)
    simplex: int = 16  # if constrained: how many dimensions of each code
    vertices: int = 3
    alpha: float = 10.0  # squared length of a vertex that L_REG asks for
    vertices_weight: float = 1.0  # of L_REG
    structure_weight: float = 1.0  # of L_S-REC
