"""haliax as a target: its limits, its gradients, and one known deviation."""

import pickle

import numpy as np
import pytest

import refdot as rd
from refdot.cases.notation import dot_case
from refdot.cases.smoke import smoke_cases
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
from refdot.targets.protocol import unsupported_reason

pytest.importorskip("haliax", reason="the extra haliax is not installed")
from refdot.targets.haliax import HaliaxTarget

CALL = Configuration("call", "stock")


@pytest.fixture(scope="module")
def target():
    return HaliaxTarget()


def many(count, **more):
    """Return a case whose operands have half of the dims each."""
    names = [f"d{number}:1?" for number in range(count)]
    return dot_case(names[::2], names[1::2], **more)


def test_smoke_cases_are_right_but_for_the_known_deviation(target):
    cases = [case for case in smoke_cases() if unsupported_reason(target, case) is None]
    assert len(cases) > 60
    assert {finding.known for finding in judge_cases(target, cases, CALL)} == {
        "axes-numbered-in-decimal"
    }


def test_eleven_axes_fail_and_ten_do_not(target):
    counts = [count for count in (9, 10, 11, 12, 27) if [*judge_cases(target, [many(count)], CALL)]]
    assert counts == [11, 12, 27]
    (deviation,) = target.deviations
    (found,) = judge_cases(target, [deviation.example], CALL)
    assert found.known == deviation.id


def test_the_known_deviation_does_not_hide_another_error(monkeypatch, target):
    def dot(x, y, dim=None):
        raise ValueError("no")

    monkeypatch.setattr(target, "function", dot)
    (found,) = judge_cases(target, [many(11)], CALL)
    assert found.known is None


def test_a_gradient_is_that_of_jax(target):
    x, y = dot_case("a b", "b c").tensors()
    cotangent = rd.dot(x, y)
    assert target.function.vjp(x, y, cotangent) == rd.dot_vjp(x, y, cotangent)


REASONS = {
    "JAX promotes two dtypes by rules of its own": dot_case("a", "a", dtypes=("int64", "float32")),
    "XLA treats subnormal numbers as 0": dot_case("a:40", "a:40", regime="special"),
}


@pytest.mark.parametrize(("reason", "case"), REASONS.items())
def test_unsupported_cases_have_a_reason(reason, case, target):
    assert unsupported_reason(target, case) == reason


def test_a_byte_order_of_another_machine_is_accepted(target):
    x = rd.NamedTensor(np.array([2.0, 3.0]).astype(">f8"), "a")
    assert target.function(x, x) == rd.dot(x, x)


def test_the_target_is_pickled(target):
    again = pickle.loads(pickle.dumps(target))
    assert (again.name, again.version) == ("haliax", target.version)
