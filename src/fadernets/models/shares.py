"""A batch shared by several processes: each draws noise, and compares rows, as if it had the whole batch.

Process r of W has rows r, r + W, r + 2 W, ... of what one process would have. All W draw the same numbers, for all
rows, and each takes those of its own. So a run has the same loss on any number of processes. n rows of a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """One process's part of every batch."""

    rank: int = 0
    of: int = 1
    gather: Callable[[Tensor], Tensor] | None = None  # [n, ...] -> [W, n, ...], differentiable, of all processes

    def own(self, rows: Tensor) -> Tensor:
        """The rows of this process, of those of a whole batch."""
        return rows[self.rank :: self.of]


WHOLE = Share()
_share: ContextVar[Share] = ContextVar("share", default=WHOLE)


@contextmanager
def sharing(share: Share) -> Iterator[None]:
    """What is drawn and compared within is that of a shared batch."""
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)


def normal(like: Tensor) -> Tensor:
    """Standard normal noise of the shape of `like` [n, ...]."""
    return _own_of(torch.randn, like.shape, like.device).to(like.dtype)


def uniform(shape: torch.Size | tuple[int, ...], device: torch.device) -> Tensor:
    """Numbers in 0..1 of a shape [n, ...]."""
    return _own_of(torch.rand, tuple(shape), device)


def _own_of(draw: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device) -> Tensor:
    share = _share.get()
    return share.own(draw((shape[0] * share.of, *shape[1:]), device=device))


def all_rows(own: Tensor) -> Tensor:
    """[n W, ...] the rows of all processes in the order of the batch; gradients flow to each process's own."""
    gather = _share.get().gather
    return own if gather is None else gather(own).transpose(0, 1).flatten(0, 1)


def mean_count(own: Tensor) -> Tensor:
    """The mean over the processes of a count of rows, of at least one row in all.

    A sum over own rows, divided by it, has as its mean over the processes what one process would have.
    """
    share = _share.get()
    total = own if share.gather is None else share.gather(own.detach()[None]).sum()
    return total.clamp(min=1) / share.of
