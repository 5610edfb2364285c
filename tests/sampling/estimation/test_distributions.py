from __future__ import annotations

from math import comb

import numpy as np
import pytest

from tracelab.sampling.estimation.distributions import at_least, beta_below, exceeded, student_quantile


def test_students_quantiles_are_those_of_tables() -> None:
    # scipy.stats.t.ppf(0.975, ...), version 1.17.
    wanted = [12.7062047362, 3.5746548420, 2.2621571628, 1.9839715185, 1.9604385518]
    found = student_quantile(0.95, np.array([1, 2.5, 9, 100, 5000]))
    assert found == pytest.approx(wanted, abs=1e-8)
    assert np.isinf(student_quantile(0.95, np.array([0.0, -1.0]))).all()
    assert student_quantile(0.95, np.array([np.inf])) == pytest.approx([1.959964], abs=1e-6)


def test_the_incomplete_beta_function_is_a_binomial_sum() -> None:
    for n, k, p in ((10, 3, 0.2), (40, 38, 0.9), (7, 7, 0.5), (25, 1, 0.01)):
        direct = sum(comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1))
        assert at_least(np.array([k]), np.array([n]), np.array([p])) == pytest.approx([direct], rel=1e-9)
    # By symmetry, where both parameters are large.
    assert beta_below(np.array([0.5]), np.array([5e4]), np.array([5e4])) == pytest.approx([0.5], abs=1e-8)


def test_the_incomplete_beta_function_is_that_of_scipy() -> None:
    # scipy.special.betainc, version 1.17.
    a, b = np.array([2, 0.5, 300, 4000.5]), np.array([3.0, 10, 20, 5000])
    wanted = [0.5248, 0.3420718248432154, 0.8211940072460824, 0.8542200624392475]
    assert beta_below(np.array([0.4, 0.01, 0.95, 0.45]), a, b) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [30.0, 400.5, 5_000.0, 90_000.0])
def test_what_is_exceeded_rarely_is_exceeded_that_rarely(n: float, p: float) -> None:
    share = float(exceeded(np.array([n]), np.array([p]), 0.025)[0])
    x = np.array([share * n])
    if share == 1:
        assert p**n / 2 >= 0.025
        return
    at = (at_least(x, np.array([n]), np.array([p])) + at_least(x + 1, np.array([n]), np.array([p]))) / 2
    # Where the binomial number is spread out, a series stands for it.
    assert at == pytest.approx([0.025], abs=0.0015)
