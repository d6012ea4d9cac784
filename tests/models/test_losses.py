"""Each term of Eq. 1 and Eq. 2 against a slow or independent computation of the same number."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from fadernets.models import losses
from fadernets.models.losses import PRIOR_VARIANCE

B, Z, K = 5, 7, 3


@pytest.fixture
def posterior():
    """Mean, log variance, a sample and the means of K components."""
    random = torch.Generator().manual_seed(0)
    mean, log_variance, z = torch.randn((3, B, Z), generator=random)
    return mean, log_variance - 1, z * 0.3, torch.randn((K, Z), generator=random) * 0.3


def normal(mean, log_variance):
    return Independent(Normal(mean, (0.5 * log_variance).exp()), 1)


def component(mean):
    return Independent(Normal(mean, math.exp(-1)), 1)  # variance e^-2


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_gaussian_kl(posterior):
    mean, log_variance, other, _ = posterior
    other_log_variance = log_variance.flip(0)
    found = losses.gaussian_kl(mean, log_variance, other, other_log_variance)
    close(found, kl_divergence(normal(mean, log_variance), normal(other, other_log_variance)))
    assert not torch.allclose(found, losses.gaussian_kl(other, other_log_variance, mean, log_variance))


def test_gaussian_kl_by_hand():
    """One dimension, mean 2 and variance e^2 to mean 1 and variance 1: (e^2 + 1 - 1 - 2) / 2."""
    found = losses.gaussian_kl(*(torch.tensor([x]) for x in (2.0, 2.0, 1.0, 0.0)))
    close(found, torch.tensor((math.e**2 - 2) / 2))


def test_standard_kl(posterior):
    mean, log_variance, *_ = posterior
    unit = normal(torch.zeros(Z), torch.zeros(Z))
    close(losses.standard_kl(mean, log_variance), kl_divergence(normal(mean, log_variance), unit))


def test_class_probabilities_are_bayes_rule(posterior):
    *_, z, means = posterior
    densities = torch.stack([component(m).log_prob(z) for m in means], -1)
    found = losses.class_log_probabilities(z, means)
    close(found, Categorical(logits=densities).logits)
    close(found.exp().sum(-1), torch.ones(B))


def test_class_probabilities_normalise_the_mixture(posterior):
    *_, z, means = posterior
    mixture = MixtureSameFamily(Categorical(torch.ones(K)), component(means))
    for k in range(K):
        joint = component(means[k]).log_prob(z) - math.log(K)
        close(losses.class_log_probabilities(z, means)[:, k], joint - mixture.log_prob(z))


def test_mixture_kl_by_brute_force(posterior):
    mean, log_variance, z, means = posterior
    found, class_kl = losses.mixture_kl(mean, log_variance, z, means)
    for b in range(B):
        weights = [math.exp(float(component(m).log_prob(z[b]))) for m in means]
        share = [w / sum(weights) for w in weights]
        q = normal(mean[b], log_variance[b])
        each = [float(kl_divergence(q, component(m))) for m in means]
        assert float(found[b]) == pytest.approx(sum(s * e for s, e in zip(share, each, strict=True)), rel=1e-4)
        entropy = sum(s * math.log(s * K) for s in share)
        assert float(class_kl[b]) == pytest.approx(entropy, rel=1e-3, abs=1e-6)


def test_class_kl_is_zero_at_uniform_and_log_k_at_certainty():
    means = torch.zeros(K, Z)
    means[:, 1:] = torch.eye(Z - 1)[:K] * 4
    between, inside = means.mean(0, keepdim=True), means[1:2]
    _, class_kl = losses.mixture_kl(between, between, between, means)
    assert class_kl.item() == pytest.approx(0, abs=1e-5)
    _, class_kl = losses.mixture_kl(inside, inside, inside, means)
    assert class_kl.item() == pytest.approx(math.log(K), rel=1e-5)


def test_a_component_that_meets_the_posterior_costs_nothing():
    means = torch.tensor([[-3.0, 0.0], [3.0, 0.0]])
    log_variance = torch.full((2, 2), math.log(PRIOR_VARIANCE))
    for label, other in ((torch.tensor([0, 1]), means), (torch.tensor([1, 0]), means.flip(0))):
        close(losses.labelled_kl(other, log_variance, means, label), torch.zeros(2))
    found, _ = losses.mixture_kl(means, log_variance, means, means)
    close(found, torch.zeros(2))


def test_labelled_kl(posterior):
    mean, log_variance, _, means = posterior
    label = torch.tensor([2, 0, 1, 1, 0])
    expected = kl_divergence(normal(mean, log_variance), component(means[label]))
    close(losses.labelled_kl(mean, log_variance, means, label), expected)


def test_prior_variance_is_that_of_the_paper():
    assert pytest.approx(math.exp(-2)) == PRIOR_VARIANCE


def test_regulariser_by_double_loop():
    zd, y = [0.3, -1.2, 0.8, 0.8], [2.0, 1.0, 1.0, 5.0]
    total = 0.0
    for i in range(4):
        for j in range(4):
            sign = (y[i] > y[j]) - (y[i] < y[j])
            total += (math.tanh(zd[i] - zd[j]) - sign) ** 2
    found = losses.regulariser(torch.tensor(zd), torch.tensor(y))
    assert found.item() == pytest.approx(total / 16)


def test_regulariser_wants_the_order_of_the_attribute():
    y = torch.tensor([0.0, 0.25, 0.25, 0.5, 1.0])
    ordered, level = y * 40, torch.zeros(5)
    best = losses.regulariser(ordered, y)
    assert best.item() == pytest.approx(0, abs=1e-6)
    assert losses.regulariser(level, y) > best + 0.5
    assert losses.regulariser(-ordered, y) > losses.regulariser(level, y) + 1


def test_regulariser_pulls_each_code_toward_its_place():
    zd = torch.zeros(3, requires_grad=True)
    losses.regulariser(zd, torch.tensor([0.0, 0.5, 1.0])).backward()
    low, middle, high = (-zd.grad).tolist()  # the way that a descent goes
    assert low < middle < high
    assert middle == pytest.approx(0)


def test_geodesic_by_loop():
    before, after, delta = [0.5, 1.0, -2.0, 0.3], [0.9, 0.8, -2.0, 0.6], [0.4, 0.1, 0.5, 0.1]
    slopes = [1.0, -2.0, 0.0, 3.0]
    found = losses.geodesic(*(torch.tensor(x) for x in (before, after, delta)))
    assert found.item() == pytest.approx(sum((slope - 1) ** 2 for slope in slopes) / 4, rel=1e-5)


@pytest.mark.parametrize("delta", [0.05, 0.5, 2.0])
def test_geodesic_is_nothing_at_the_slope_that_is_wanted_and_more_for_the_wrong_sign(delta):
    def penalty(slope):
        start, delta_ = torch.tensor([0.7, -0.3]), torch.tensor([delta, delta / 3])
        return losses.geodesic(start, start + slope * delta_, delta_).item()

    assert penalty(1.0) == pytest.approx(0, abs=1e-8)
    assert [penalty(slope) for slope in (0.0, -1.0, 2.0, 3.0)] == pytest.approx([1, 4, 1, 4], rel=1e-4)


@pytest.mark.parametrize(("slope", "way"), [(0.0, 1), (-1.0, 1), (0.5, 1), (2.0, -1)])
def test_geodesic_pulls_the_slope_to_what_is_wanted(slope, way):
    """A descent moves what is reached and what is left apart where the slope is too small."""
    before, delta = torch.tensor([0.2, 0.4]), torch.tensor([0.1, 0.4])
    before.requires_grad_()
    after = (before + slope * delta).detach().requires_grad_()
    losses.geodesic(before, after, delta).backward()
    assert (-after.grad * way > 0).all()
    torch.testing.assert_close(before.grad, -after.grad)


def test_the_regulariser_sees_the_sign_of_a_difference_and_not_its_size():
    zd = torch.tensor([0.1, 0.7, -0.4])
    found = losses.regulariser(zd, torch.tensor([1.0, 9.0, 0.5]))
    close(found, losses.regulariser(zd, torch.tensor([0.2, 0.3, 0.1])))
    assert abs(found - losses.regulariser(zd, torch.tensor([0.2, 0.2, 0.1]))) > 0.01  # a tie is 0
