"""The processes that train one run together: which rows are whose, what the first does alone, what all agree on.

Fabric starts them (DistributedDataParallel: each holds all weights, which a model of these sizes leaves room for, so
that nothing is sharded); torchrun may have started them before.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fadernets.errors import FadernetsError
from fadernets.models.shares import Share


class OtherProcessError(FadernetsError):
    """What the first process ended with, in the others."""


class Processes:
    """All processes of a run; W of them."""

    def __init__(self, fabric: Any) -> None:
        """`fabric`: launched."""
        self.fabric = fabric
        gather = partial(fabric.all_gather, sync_grads=True) if fabric.world_size > 1 else None
        self.share = Share(fabric.global_rank, fabric.world_size, gather)
        if self.several:
            atexit.unregister(_leave)
            atexit.register(_leave)

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return self.share.of > 1

    def on_the_first(self, action: Callable[[], None]) -> None:
        """Let the first process do something while the others wait; what it raises ends all of them."""
        error: FadernetsError | OSError | None = None
        if self.share.rank == 0:
            try:
                action()
            except (FadernetsError, OSError) as raised:
                error = raised
        if self.several:
            message = self.fabric.broadcast("" if error is None else str(error))
            if message and error is None:
                raise OtherProcessError(message)
        if error is not None:
            raise error

    def means(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each scalar's mean over the processes."""
        if not self.several:
            return terms
        means = self.fabric.all_reduce(torch.stack([value.double() for value in terms.values()]), reduce_op="mean")
        return dict(zip(terms, means.unbind(), strict=True))

    def own(self, count: int) -> range:
        """Which of `count` pieces of work are this process's."""
        return range(self.share.rank, count, self.share.of)

    def together(self, found: list[Any]) -> list[Any]:
        """What all have found for their pieces of work, in the order of the pieces."""
        if not self.several:
            return found
        parts: list[list[Any]] = [[] for _ in range(self.share.of)]
        torch.distributed.all_gather_object(parts, found)
        return [parts[i % self.share.of][i // self.share.of] for i in range(sum(map(len, parts)))]


def _leave() -> None:
    """End what connects the processes: threads of gloo that are left at the end of a process abort it."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def started_by_torchrun() -> tuple[int, int] | None:
    """Processes of each machine, and machines, as torchrun's environment has them; None where it did not start this."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    every, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    return here, every // here


def is_first() -> bool:
    """Whether this process is the one of its run that prints."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
