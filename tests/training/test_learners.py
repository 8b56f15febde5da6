"""What a learner does in a step, by torch and by NumPy, and models that survive the disk."""

import dataclasses

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.interop.classifier import numpy_classifier  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.reference import evaluate  # noqa: E402
from relational_rnn.training.arrays_file import save_arrays  # noqa: E402
from relational_rnn.training.config import with_values  # noqa: E402
from relational_rnn.training.config_parts import OptimiserConfig  # noqa: E402
from relational_rnn.training.contestants import contestants  # noqa: E402
from relational_rnn.training.data import Fresh, splits_of  # noqa: E402
from relational_rnn.training.learners.numpy import NUMPY  # noqa: E402
from relational_rnn.training.learners.optimisers import build_optimiser  # noqa: E402
from relational_rnn.training.learners.torch import TORCH  # noqa: E402
from relational_rnn.training.models import LABELS  # noqa: E402
from relational_rnn.training.weights import load_weights, save_weights  # noqa: E402

CONFIG = with_values(
    find_recipe("addition", "tiny"),
    {"models": tuple(LABELS), "head_layers": 1, "validation_examples": 30, "test_examples": 300, "seeds": 1},
)
NTH = with_values(find_recipe("nth-farthest", "tiny"), {"grow": False})
every_model = pytest.mark.parametrize("name", LABELS)


def make_learner(name, config=CONFIG, framework=TORCH):
    contestant = next(c for c in contestants(config) if c.model == name)
    own = config.of(name)
    model = framework.build(own, contestant)
    return model, framework.learner(model, own), contestant


@every_model
def test_a_learners_state_is_everything_that_the_next_step_depends_on(name):
    batches, (_, one, _), (_, other, _) = Fresh(CONFIG), make_learner(name), make_learner(name)
    for step in range(3):
        one.train_step(batches(step), 0.01)
    other.load_state(one.state())
    for step in range(3, 6):
        assert one.train_step(batches(step), 0.01) == other.train_step(batches(step), 0.01)
    for key, value in one.state().items():
        np.testing.assert_array_equal(other.state()[key], value, err_msg=key)


@pytest.mark.parametrize("name", ["rmc", "hybrid", "lstm"])
@pytest.mark.parametrize("config", [CONFIG, NTH], ids=["answers at steps", "an answer at the end"])
def test_scores_are_those_of_numpy(name, config):
    config = with_values(config, {"models": ("rmc", "hybrid", "lstm")})
    model, learner, _ = make_learner(name, config)
    test, twin = splits_of(config).test, numpy_classifier(model)
    ours, theirs = learner.evaluate(test), evaluate(twin, test)
    assert ours.keys() == theirs.keys()
    for metric, value in theirs.items():
        assert ours[metric] == pytest.approx(value, rel=1e-5), metric
    every_step = np.ndim(test.targets) > 1
    told = TORCH.predict(model, test.inputs, every_step)
    np.testing.assert_array_equal(told, NUMPY.predict(twin, test.inputs, every_step))
    right = (told == test.targets)[getattr(test, "mask", np.ones(len(told), bool))]
    assert right.mean() == pytest.approx(ours["accuracy"])


@pytest.mark.parametrize("config", [CONFIG, NTH], ids=["answers at steps", "an answer at the end"])
def test_pieces_of_a_batch_count_by_their_answers(config):
    """What a step tells, and the gradients; as many pieces as examples are the most."""
    batch = Fresh(config)(0)
    steps = []
    for count in (1, 3, config.budget.batch_size):
        model, learner, _ = make_learner("rmc", with_values(config, {"accumulate": count}))
        told = learner.train_step(batch, 0.01)
        steps.append((told, [one.grad for one in model.parameters()]))
    (wanted, gradients), *others = steps
    assert {"accuracy", "sequence_accuracy"} < wanted.keys()
    for told, found in others:
        assert told == pytest.approx(wanted, rel=1e-4)
        torch.testing.assert_close(found, gradients, rtol=1e-3, atol=1e-6)


@every_model
def test_steps_lower_the_loss_and_models_survive_the_disk(name, tmp_path):
    model, learner, contestant = make_learner(name)
    batch = Fresh(CONFIG)(0)
    losses = [learner.train_step(batch, 0.01)["loss"] for _ in range(25)]
    assert losses[-1] < 0.9 * losses[0]
    path = tmp_path / "model.safetensors"
    save_weights(path, TORCH, model, CONFIG, contestant)
    loaded = load_weights(path)
    assert (loaded.config, loaded.contestant, loaded.framework) == (CONFIG, contestant, TORCH)
    assert loaded.task.level is None
    for value, same in zip(model.parameters(), loaded.model.parameters(), strict=True):
        assert torch.equal(value, same)


@pytest.mark.parametrize("name", ["rmc", "hybrid", "lstm"])
def test_numpy_models_survive_the_disk(name, tmp_path):
    config = with_values(find_recipe("sorting", "tiny"), {"seed": 3})
    model, _, contestant = make_learner(name, config, NUMPY)
    path = tmp_path / "model.safetensors"
    save_weights(path, NUMPY, model, config, contestant)
    loaded = load_weights(path)
    assert (loaded.config, loaded.contestant, loaded.framework) == (config, contestant, NUMPY)
    for key, value in model.params.items():
        np.testing.assert_array_equal(loaded.model.params[key], value, err_msg=key)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("rmc", {"port_fault": "all"}),
        ("rmc", {"layer_norm_placement": "qkv"}),
        ("lstm", {"head_activation": "gelu"}),
        ("lstm", {"overrides": ("lstm.size=9", "lstm.initialisation=torch")}),
    ],
)
def test_models_are_built_again_as_they_were(tmp_path, model, changes):
    config = with_values(NTH, changes)
    built, _, contestant = make_learner(model, config)
    path = tmp_path / "model.safetensors"
    save_weights(path, TORCH, built, config, contestant)
    loaded = load_weights(path)
    assert (loaded.config, loaded.contestant) == (config, contestant)
    inputs = np.random.default_rng(0).standard_normal((5, 3, config.task.input_size), dtype=np.float32)
    torch.testing.assert_close(
        loaded.model(torch.from_numpy(inputs)), built(torch.from_numpy(inputs)), rtol=0, atol=0
    )
    np.testing.assert_array_equal(loaded.predict(inputs, False), TORCH.predict(built, inputs, False))


def test_products_of_a_loaded_rmc_can_be_others(tmp_path):
    model, _, contestant = make_learner("rmc", NTH)
    save_weights(tmp_path / "x", TORCH, model, NTH, contestant)
    loaded = load_weights(tmp_path / "x", compute_dtype="bfloat16")
    assert loaded.config == with_values(NTH, {"compute_dtype": "bfloat16"})
    inputs = torch.randn(64, 3, NTH.task.input_size, generator=torch.Generator().manual_seed(0))
    assert 0 < (loaded.model(inputs) - model(inputs)).abs().max() < 0.05


def test_files_that_are_none(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"model\.safetensors is no readable safetensors file"):
        load_weights(path)
    save_arrays(path, {"x": np.zeros(1)}, {"task": "sorting"})
    with pytest.raises(ValueError, match="holds no model of a run: its notes are task"):
        load_weights(path)
    notes = {"task": "nth-farthest", "config": dataclasses.asdict(NTH)}
    save_arrays(path, {"x": np.zeros(1)}, notes | {"contestant": dataclasses.asdict(contestants(NTH)[0])})
    with pytest.raises(ValueError, match="does not hold the weights of its model: its 1 numbers are too few"):
        load_weights(path)
    save_arrays(
        path, {"x": np.zeros(99_999)}, notes | {"contestant": dataclasses.asdict(contestants(NTH)[0])}
    )
    with pytest.raises(ValueError, match=r"weights of its model: names differ: .* missing and x unknown"):
        load_weights(path)


@pytest.mark.parametrize("framework", [TORCH, NUMPY], ids=["torch", "numpy"])
def test_what_is_not_finite_stops_the_training_and_leaves_the_parameters(framework):
    config = with_values(CONFIG, {"models": ("lstm",), "framework": framework.name, "overrides": ()})
    _, learner, _ = make_learner("lstm", config, framework)
    before = learner.parameters()
    batch = Fresh(config)(0)
    bad = batch._replace(inputs=np.full_like(batch.inputs, np.nan))
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="training diverged: loss nan"):
        learner.train_step(bad, 0.01)
    for name, value in learner.parameters().items():
        assert np.array_equal(value, before[name])


def test_the_average_follows_the_weights_and_is_what_counts():
    config = with_values(NTH, {"average_decay": 0.3})
    model, learner, _ = make_learner("rmc", config)
    batches, validation = Fresh(config), splits_of(config).validation
    (name, weight), *_ = model.named_parameters()
    expected = None
    for number in range(5):
        learner.train_step(batches(number), 0.01)
        decay = min(0.3, (number + 1) / (number + 10))
        now = weight.detach().clone()
        expected = now if expected is None else decay * expected + (1 - decay) * now
    average = learner.parameters()[name]
    np.testing.assert_allclose(average, expected, rtol=1e-5)
    assert not np.array_equal(average, weight.detach())
    scores = learner.evaluate(validation)
    with torch.no_grad():
        model.head[-1].bias[0] = 1000.0  # from now on the weights themselves say label 0
    assert learner.evaluate(validation) == scores
    told = TORCH.predict(model, validation.inputs, False)
    assert (told == 0).all()
    learner.load_parameters(learner.parameters())
    assert learner.evaluate(validation) == scores, "the model has the average now"
    assert not (TORCH.predict(model, validation.inputs, False) == 0).all()


def test_soap_steps_along_the_singular_vectors():
    """A gradient that never changes is diagonal in the eigenbases; there every step is of the full rate."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(4, 4, generator=generator).double())[0] for _ in range(2))
    weight = torch.nn.Parameter(torch.zeros(4, 4).double())  # rounding off the diagonal must not count
    model = torch.nn.ParameterList([weight])
    optimiser = build_optimiser(model, OptimiserConfig(optimiser="soap", learning_rate=0.1))
    gradient = left @ torch.diag(torch.tensor([4.0, 3.0, 2.0, 1.0]).double()) @ right.T
    for _ in range(10):
        weight.grad = gradient.clone()
        optimiser.step()
    # Every step but the first, which only measures; Adam's would have the signs of the gradient's elements.
    torch.testing.assert_close(weight.detach(), -0.9 * left @ right.T, rtol=1e-6, atol=1e-6)


def test_threads_are_given_for_a_while():
    before = torch.get_num_threads()
    with TORCH.limit_threads(before + 2):
        assert torch.get_num_threads() == before + 2
    assert torch.get_num_threads() == before


def test_a_device_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match=r"device 'cuda' needs an NVIDIA GPU, and torch .* finds none here"):
        TORCH.check(with_values(NTH, {"device": "cuda"}))
