"""Whether what learns leaves PyTorch as it was: on one thread, from a seed of its own."""

from contextlib import contextmanager

import pytest


@contextmanager
def learning_alone():
    """In the block a network learns. It must do so on one thread, and leave threads and generator to others."""
    import torch

    had, used, backward = torch.get_num_threads(), set(), torch.Tensor.backward

    def watched(tensor, *arguments, **options):
        used.add(torch.get_num_threads())
        backward(tensor, *arguments, **options)

    torch.set_num_threads(2)
    state = torch.random.get_rng_state()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.Tensor, "backward", watched)
            yield
        assert used == {1}  # sums of more than one thread differ from run to run
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.random.get_rng_state(), state)
    finally:
        torch.set_num_threads(had)
