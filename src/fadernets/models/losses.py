"""The terms of Eq. 1 and Eq. 2, each a mean over the batch and a sum over everything else, in nats.

All are minimised. Shapes: B batch, Z latent size, K components.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from fadernets.models import shares

PRIOR_VARIANCE = math.exp(-2)  # Section 4.1: component variances stay at e^-2


def gaussian_kl(mean: Tensor, log_variance: Tensor, prior_mean: Tensor, prior_log_variance: Tensor) -> Tensor:
    """KL(N(mean, var) || N(prior)), summed over the last dimension: [...]."""
    ratio = (log_variance - prior_log_variance).exp()
    distance = (mean - prior_mean) ** 2 * (-prior_log_variance).exp()
    return 0.5 * (ratio + distance - 1 - log_variance + prior_log_variance).sum(-1)


def standard_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The vanilla VAE's KL term: [B]."""
    zero = torch.zeros((), dtype=mean.dtype, device=mean.device)
    return gaussian_kl(mean, log_variance, zero, zero)


def class_log_probabilities(z: Tensor, means: Tensor) -> Tensor:
    """log p(c|z) under uniform p(c) and components N(means, e^-2): z [B, Z], means [K, Z] -> [B, K]."""
    distance = ((z[:, None] - means[None]) ** 2).sum(-1) / PRIOR_VARIANCE  # [B, K]
    return F.log_softmax(-0.5 * distance, dim=-1)


def mixture_kl(mean: Tensor, log_variance: Tensor, z: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 1, unsupervised: (sum_k q(c_k|X) KL(q(z|X) || p(z|c_k)), KL(q(c|X) || p(c))), each [B].

    q(c|X) is p(c|z) at the sampled z [B, Z].
    """
    log_q = class_log_probabilities(z, means)  # [B, K]
    q = log_q.exp()
    prior = torch.full((), math.log(PRIOR_VARIANCE), dtype=mean.dtype, device=mean.device)
    each = gaussian_kl(mean[:, None], log_variance[:, None], means[None], prior)  # [B, K]
    class_kl = (q * (log_q + math.log(means.shape[0]))).sum(-1)
    return (q * each).sum(-1), class_kl


def labelled_kl(mean: Tensor, log_variance: Tensor, means: Tensor, label: Tensor) -> Tensor:
    """Eq. 1, supervised: KL(q(z|X) || p(z|c)) with c given, label [B] of 0..K-1: [B]."""
    prior = torch.full((), math.log(PRIOR_VARIANCE), dtype=mean.dtype, device=mean.device)
    return gaussian_kl(mean, log_variance, means[label], prior)


def regulariser(zd: Tensor, attribute: Tensor) -> Tensor:
    """MSE(tanh(D z^d), sign(D y)) over all pairs of a batch (Pati and Lerch): zd, attribute [B] -> scalar."""
    zd, attribute = shares.all_rows(zd), shares.all_rows(attribute)
    dz = zd[:, None] - zd[None, :]
    dy = attribute[:, None] - attribute[None, :]
    return F.mse_loss(torch.tanh(dz), torch.sign(dy))


def geodesic(before: Tensor, after: Tensor, delta: Tensor) -> Tensor:
    """GLSR's penalty: mean of (slope - 1)^2, the slope being the finite difference over z^d of an attribute in
    units of its target slope. before, after, delta [B] -> scalar."""
    return (((after - before) / delta - 1) ** 2).mean()
