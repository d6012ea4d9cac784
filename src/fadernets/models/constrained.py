"""A posterior whose mean lies on a learned simplex, so that codes that move far still lie where the decoder has been.

CP-VAE of Xu, Cheung and Cao, *On Variational Learning of Controllable Representations for Text without Supervision*
(ICML 2020, arXiv 1905.11975), which Section 6 of Music FaderNets names ([43]) against the loss of identity under strong
shifts. Their Section 4: z = [z1, z2]. The mean of z1 is mu1 = sum_i p_i e_i, with learned vectors e_1 ... e_V and p a
softmax of what the encoder says. L_REG = ||E E^T - alpha I|| keeps the vectors orthogonal and of one length. L_S-REC
asks mu1 to resemble what the encoder said of its own row more than those of other rows do, by a hinge of margin 1, so
that all of the simplex is used. What is moved is z1 alone, within the simplex.

Here z1 are the last dimensions of each code, and the regularised dimensions of faders lie in z2. Under a mixture prior
z1 alone has clusters: the components' means are 0 in z2. Deviates: similarity is the cosine, as in the authors'
published code; the other rows are those that follow in the batch, not drawn anew; z2 of a mixture has the prior
N(0, e^-2); alpha is 10, which their code has for an encoder that reads the text itself (100 with ready-made features).
B rows, D dimensions of z1, V vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fadernets.errors import FadernetsError
from fadernets.models.blocks import Posterior, PosteriorHead
from fadernets.models.options import Options

OTHERS = 10  # rows that each row is told from, as in the authors' code
MARGIN = 1.0  # of the hinge


@dataclass
class ConstrainedPosterior(Posterior):
    """q(z|X) whose mean of z1 lies on the simplex."""

    said: Tensor  # [B, D] what the encoder said of z1, before it was put there

    @property
    def mean_on_simplex(self) -> Tensor:
        """[B, D] mu1."""
        return self.mean[:, -self.said.shape[1] :]


class SimplexHead(PosteriorHead):
    """The last layer of an encoder whose mean of the last `options.simplex` dimensions is a mix of vertices."""

    def __init__(self, inputs: int, z: int, options: Options) -> None:
        """Raises FadernetsError for a simplex that the code has no room for."""
        size, count = options.simplex, options.vertices
        if not 2 <= count <= size < z:
            raise FadernetsError(
                f"model options vertices {count}, simplex {size}: at least 2 vertices, no more than dimensions of the "
                f"simplex, and these fewer than the {z} of a code"
            )
        super().__init__(inputs, z)
        self.shares = nn.Linear(size, count)
        self.vertices = nn.Parameter(nn.init.orthogonal_(torch.empty(count, size), gain=options.alpha**0.5))  # [V, D]

    def posterior(self, last: Tensor) -> Posterior:
        """The posterior of the encoder's last states [B, inputs]."""
        free = super().posterior(last)
        size = self.vertices.shape[1]
        said = free.mean[:, -size:]
        shares = self.shares(said).float().softmax(-1)
        on_simplex = (shares[..., None] * self.vertices).sum(-2)  # [B, D], in 32 bits whatever products are in
        moved = torch.cat([torch.zeros_like(free.mean[:, :-size]), on_simplex - said], -1)
        return ConstrainedPosterior(free.mean + moved, free.log_variance, free.z + moved, said)


def orthogonality(vertices: Tensor, alpha: float) -> Tensor:
    """L_REG: the Frobenius norm of E E^T - alpha I, with vertices E [V, D] -> scalar."""
    products = (vertices[:, None] * vertices[None]).sum(-1)  # [V, V], in 32 bits whatever products are in
    return torch.linalg.norm(products - alpha * torch.eye(len(vertices), device=vertices.device))


def structure(said: Tensor, mean: Tensor) -> Tensor:
    """L_S-REC: how much nearer a row's own point of the simplex is to what was said of the row than those of others.

    said, mean [B, D] -> scalar: the mean over rows and over up to OTHERS of those behind each in the batch, which goes
    around, of max(0, 1 - cos(said, mean) + cos(said, mean of the other)).
    """
    said, mean = F.normalize(said, dim=-1), F.normalize(mean, dim=-1)
    own = (said * mean).sum(-1)
    others = [(said * mean.roll(-k, 0)).sum(-1) for k in range(1, min(OTHERS, len(said) - 1) + 1)]
    if not others:
        return own.sum() * 0
    return F.relu(MARGIN - own + torch.stack(others)).mean()


def constrain(encoders: nn.ModuleDict, options: Options) -> None:
    """Give encoders heads whose means lie on simplices. Raises FadernetsError."""
    for encoder in encoders.values():
        old: PosteriorHead = encoder.head  # type: ignore[assignment]
        encoder.head = SimplexHead(old.in_features, old.out_features // 2, options)


def keep_free_part(means: nn.ParameterDict, size: int) -> None:
    """Make the means [K, Z] of a mixture 0 outside of the last `size` dimensions, and keep them so in training."""
    for mean in means.values():
        with torch.no_grad():
            mean[:, :-size] = 0
        mean.register_hook(lambda gradient: torch.cat([torch.zeros_like(gradient[:, :-size]), gradient[:, -size:]], 1))


def terms(encoders: nn.ModuleDict, q: dict[str, Posterior], options: Options) -> dict[str, Tensor]:
    """Both terms of each constrained code by name."""
    found: dict[str, Tensor] = {}
    for name, posterior in q.items():
        if isinstance(posterior, ConstrainedPosterior):
            head: SimplexHead = encoders[name].head  # type: ignore[assignment]
            found[f"{name}_vertices"] = orthogonality(head.vertices, options.alpha)
            found[f"{name}_structure"] = structure(posterior.said, posterior.mean_on_simplex)
    return found


def weights(q: dict[str, Posterior], options: Options) -> dict[str, float]:
    """Term -> weight."""
    return {
        f"{name}_{term}": weight
        for name in q
        for term, weight in (("vertices", options.vertices_weight), ("structure", options.structure_weight))
    }
