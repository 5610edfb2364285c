from __future__ import annotations

from math import comb

import numpy as np
import pytest

from tracelab.sampling.estimation.distributions import beta_below, student_quantile


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
        assert beta_below(np.array([p]), np.array([k]), np.array([n - k + 1])) == pytest.approx([direct], rel=1e-9)
    # By symmetry, where both parameters are large.
    assert beta_below(np.array([0.5]), np.array([5e4]), np.array([5e4])) == pytest.approx([0.5], abs=1e-8)


def test_the_incomplete_beta_function_is_that_of_scipy() -> None:
    # scipy.special.betainc, version 1.17.
    a, b = np.array([2, 0.5, 300, 4000.5]), np.array([3.0, 10, 20, 5000])
    wanted = [0.5248, 0.3420718248432154, 0.8211940072460824, 0.8542200624392475]
    assert beta_below(np.array([0.4, 0.01, 0.95, 0.45]), a, b) == pytest.approx(wanted, abs=1e-9)
