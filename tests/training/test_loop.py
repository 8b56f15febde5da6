"""A training is exactly resumable, keeps its budget and stops on nonsense."""

import dataclasses
import itertools
import math

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.training.common.nth_farthest import Growth  # noqa: E402
from relational_rnn.training.torch.loop import Budget, Training, accuracy  # noqa: E402
from relational_rnn.training.torch.models import build_model, contestants  # noqa: E402
from relational_rnn.training.torch.optimisers import build_optimiser  # noqa: E402

SETTINGS = dataclasses.replace(find_recipe("nth-farthest", "tiny"), steps=12, seconds=1000.0)


def training(path, budget=None, settings=SETTINGS, which=0):
    model = build_model(settings, contestants(settings)[which])
    growth = Growth(settings)
    return Training(model, settings, growth, budget or Budget(settings.steps, settings.seconds), path)


SOAP = dataclasses.replace(SETTINGS, optimiser="soap", average_decay=0.9)


@pytest.mark.parametrize(("which", "settings"), [(0, SETTINGS), (2, SETTINGS), (0, SOAP)])
def test_resumed_equals_uninterrupted(tmp_path, which, settings):
    if settings is SOAP:
        pytest.importorskip("pytorch_optimizer")
    straight = training(tmp_path / "straight.pt", which=which, settings=settings)
    assert straight.run()
    calls = itertools.count(1)
    broken = training(tmp_path / "broken.pt", which=which, settings=settings)
    assert not broken.run(stopped=lambda: next(calls) == 5)
    resumed = training(tmp_path / "broken.pt", which=which, settings=settings)
    assert resumed.step == 5
    assert resumed.run()
    assert resumed.step == straight.step == 12
    for kind in ("model", "result"):
        for name, value in getattr(straight, kind).state_dict().items():
            torch.testing.assert_close(getattr(resumed, kind).state_dict()[name], value, rtol=0, atol=0)
    assert resumed.growth.state() == straight.growth.state()


def test_the_average_follows_the_weights_and_is_what_counts(tmp_path):
    one = training(tmp_path / "x.pt", settings=dataclasses.replace(SETTINGS, average_decay=0.3))
    (name, weight), *_ = one.model.named_parameters()
    seen = []
    for number in range(5):
        one.advance(0.0)
        seen.append(weight.detach().clone())
        decay = min(0.3, (number + 1) / (number + 10))
        expected = seen[0] if number == 0 else decay * expected + (1 - decay) * seen[-1]
    average = dict(one.result.named_parameters())[name]
    torch.testing.assert_close(average, expected)
    assert not torch.equal(average, weight)
    inputs, targets = one.validation.inputs, one.validation.targets
    with torch.no_grad():
        one.model.head[-1].bias[0] = 1000.0  # from now on the weights themselves say label 0
    assert accuracy(one.model, inputs, targets) == (targets == 0).mean()
    assert one.validate() == accuracy(one.result, inputs, targets) != accuracy(one.model, inputs, targets)


def test_soap_steps_along_the_singular_vectors():
    """A gradient that never changes is diagonal in the eigenbases; there every step is of the full rate."""
    pytest.importorskip("pytorch_optimizer")
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(4, 4, generator=generator).double())[0] for _ in range(2))
    weight = torch.nn.Parameter(torch.zeros(4, 4).double())  # rounding off the diagonal must not count
    model = torch.nn.ParameterList([weight])
    settings = dataclasses.replace(SETTINGS, optimiser="soap", learning_rate=0.1)
    optimiser = build_optimiser(model, settings)
    gradient = left @ torch.diag(torch.tensor([4.0, 3.0, 2.0, 1.0]).double()) @ right.T
    for _ in range(10):
        weight.grad = gradient.clone()
        optimiser.step()
    # Every step but the first, which only measures; Adam's would have the signs of the gradient's elements.
    torch.testing.assert_close(weight.detach(), -0.9 * left @ right.T, rtol=1e-6, atol=1e-6)


def test_a_softmax_of_a_softmax_is_no_loss_that_goes_to_zero(tmp_path):
    """With C classes its least value is ln(e + C - 1) - 1, reached by a certain and right answer."""
    settings = dataclasses.replace(SETTINGS, port_fault="double-softmax")
    right, twice = training(tmp_path / "a.pt"), training(tmp_path / "b.pt", settings=settings)
    for one in (right, twice):
        with torch.no_grad():
            one.model.head[-1].weight.zero_()
            one.model.head[-1].bias[0] = 1000.0  # label 0, and no doubt
    least = math.log(math.e + SETTINGS.objects - 1) - 1
    share = 1 - (twice.advance(0.0)[0] - least)
    assert right.advance(0.0)[0] == pytest.approx(1000 * (1 - share), rel=1e-4)
    assert 0 < share < 1


def test_records_tell_where_it_is(tmp_path):
    records = []
    training(tmp_path / "x.pt").run(records.append)
    last = records[-1]
    assert (last["step"], last["examples"], last["progress"]) == (12, 12 * SETTINGS.batch_size, 1.0)
    assert 0 <= last["validation_accuracy"] <= 1
    assert {"loss", "accuracy", "objects", "dimensions", "seconds"} <= records[0].keys()


def test_curves_have_their_points_however_long_the_clock_would_let_it_run(tmp_path):
    settings = dataclasses.replace(SETTINGS, evaluations=4)
    calls, records = itertools.count(1), []
    training(tmp_path / "x.pt", settings=settings).run(records.append, lambda: next(calls) == 6)
    training(tmp_path / "x.pt", settings=settings).run(records.append)
    assert [r["step"] for r in records if "validation_accuracy" in r] == [1, 3, 6, 9, 12]


def test_the_clock_ends_it_too(tmp_path):
    one = training(tmp_path / "x.pt", Budget(10**9, 0.2))
    assert one.run()
    assert one.seconds >= 0.2
    assert one.step < 10**9


def test_budgets():
    first, both = Budget(10, 100.0), Budget(10, 100.0, both=True)
    assert first.progress(5, 80.0) == 0.8
    assert both.progress(5, 80.0) == 0.5


def test_learning_rate_follows_the_schedule(tmp_path):
    one = training(tmp_path / "x.pt")
    one.advance(0.0)
    assert one.optimiser.param_groups[0]["lr"] == pytest.approx(
        SETTINGS.learning_rate / SETTINGS.warmup_steps
    )
    for _ in range(SETTINGS.warmup_steps):
        one.advance(1.0)
    assert one.optimiser.param_groups[0]["lr"] == pytest.approx(SETTINGS.learning_rate * SETTINGS.final_share)


def test_a_loss_that_is_not_finite_stops_it(tmp_path):
    one = training(tmp_path / "x.pt")
    with torch.no_grad():
        one.model.head[0].weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="the loss is nan at step 0: try a smaller learning_rate"):
        one.run()


def test_it_learns(tmp_path):
    """Two objects: the answer is the reference or the other one, learned within seconds."""
    settings = dataclasses.replace(
        SETTINGS,
        objects=2,
        first_objects=2,
        steps=300,
        batch_size=64,
        learning_rate=5e-3,
        mem_slots=2,
        head_size=8,
    )
    one = training(tmp_path / "x.pt", settings=settings)
    before = accuracy(one.model, one.validation.inputs, one.validation.targets)
    one.run()
    after = accuracy(one.model, one.validation.inputs, one.validation.targets)
    assert before < 0.8
    assert after > 0.95
