"""Language models: what is carried and when, perplexities against plain sums, and runs that are resumed."""

import itertools
import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from relational_rnn.analysis import finding  # noqa: E402
from relational_rnn.cli.main import main  # noqa: E402
from relational_rnn.config.checks import BadFile  # noqa: E402
from relational_rnn.nn import LSTM, LanguageModel, RelationalMemory  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.tasks.language import Language, Stream, read  # noqa: E402
from relational_rnn.tasks.language.examples import trivial_losses  # noqa: E402
from relational_rnn.tasks.language.source import Piece  # noqa: E402
from relational_rnn.tasks.score import PERPLEXITY  # noqa: E402
from relational_rnn.training import run as runs  # noqa: E402
from relational_rnn.training.arrays_file import load_arrays  # noqa: E402
from relational_rnn.training.config import with_values  # noqa: E402
from relational_rnn.training.contestants import contestants  # noqa: E402
from relational_rnn.training.data import TextBatches, splits_of  # noqa: E402
from relational_rnn.training.framework import framework_of  # noqa: E402
from relational_rnn.training.results import from_json  # noqa: E402
from relational_rnn.training.run_folder import RunFolder  # noqa: E402
from relational_rnn.training.weights import load_weights  # noqa: E402

pytestmark = pytest.mark.torch

SMALL = {"steps": 6, "evaluate_every": 3, "seeds": 1, "models": ("rmc",), "streams": 128, "window": 8}
MODELS = ("rmc", "lstm", "gru", "hybrid", "transformer")


def config_of(**changes):
    return with_values(find_recipe("language", "tiny"), {**SMALL, **changes})


def learner_of(config):
    framework = framework_of("torch")
    (contestant,) = contestants(config)
    return framework.learner(framework.build(config, contestant), config)


def batches(config):
    return TextBatches(splits_of(config, with_training=True).train, config.budget.batch_size, config.seed)


def short(stream, length, window=8, count=3):
    return Stream(stream.tokens[:length], length, window, count)


def plain_losses(model, tokens):
    """The losses of a text after its first token, by one step after another."""
    memory, losses = None, []
    with torch.no_grad():
        for token, target in itertools.pairwise(tokens):
            features, memory = model(torch.tensor([[int(token)]]), memory)
            losses.append(-model.log_probabilities(features)[0, 0, int(target)].item())
    return losses


@pytest.mark.parametrize("model", ["rmc", "lstm"])
@pytest.mark.parametrize("adaptive", [False, True])
def test_perplexity_is_that_of_one_step_after_another(model, adaptive):
    config = config_of(models=(model,), adaptive_softmax=adaptive)
    learner = learner_of(config)
    stream = short(splits_of(config).test, 60, count=1)
    found = learner.evaluate(stream)
    losses = plain_losses(learner.model.eval(), stream.tokens)
    mean = sum(losses) / len(losses)
    assert found["loss"] == pytest.approx(mean, rel=1e-5)
    assert found["perplexity"] == pytest.approx(math.exp(mean), rel=1e-4)
    assert found["bits_per_byte"] == pytest.approx(mean / math.log(2), rel=1e-5)  # a token is a byte here


def test_streams_and_cuts_begin_with_an_empty_memory():
    config = config_of()
    learner = learner_of(config)
    tokens = splits_of(config).test.tokens[:61]
    model = learner.model.eval()
    parts = [plain_losses(model, tokens[begin : begin + 21]) for begin in (0, 20, 40)]
    whole = [loss for part in parts for loss in part]
    assert learner.evaluate(Stream(tokens, 61, 7, 3))["loss"] == pytest.approx(np.mean(whole), rel=1e-5)
    cut = Stream(tokens, 61, 7, 1).cut(20)
    assert learner.evaluate(cut)["loss"] == pytest.approx(np.mean(whole), rel=1e-5)
    assert learner.evaluate(Stream(tokens, 61, 7, 1))["loss"] != pytest.approx(np.mean(whole), rel=1e-5)


def test_a_transformer_has_the_window_as_its_context():
    config = config_of(models=("transformer",))
    learner = learner_of(config)
    tokens = splits_of(config).test.tokens[:41]
    model = learner.model.eval()
    parts = [plain_losses(model, tokens[begin : begin + 9]) for begin in range(0, 40, 8)]
    expected = np.mean([loss for part in parts for loss in part])
    assert learner.evaluate(Stream(tokens, 41, 8, 1))["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("model", ["rmc", "lstm", "hybrid"])
def test_memory_goes_from_window_to_window_and_gradients_do_not(model):
    """Two windows have the losses of one call over both."""
    config = config_of(models=(model,), output_dropout=0.0)
    learner, given = learner_of(config), batches(config)
    one, two = given(0), given(1)
    assert one.begins
    assert not two.begins
    np.testing.assert_array_equal(one.targets[:, -1], two.inputs[:, 0])
    learner.gradients(one)
    loss, _ = learner.gradients(two)
    both = torch.from_numpy(np.concatenate([one.inputs, two.inputs], 1))
    features, _ = learner.model(both)
    expected = learner.model.losses(features[:, 8:].flatten(0, 1), torch.from_numpy(two.targets).flatten())
    assert loss.item() == pytest.approx(expected.mean().item(), rel=1e-5)
    memory = learner.memory
    assert not any(part.requires_grad for part in ([memory] if torch.is_tensor(memory) else memory))
    fresh = learner_of(config)
    assert fresh.gradients(two)[0].item() != pytest.approx(loss.item(), rel=1e-6)  # with an empty memory


def test_a_pass_begins_with_an_empty_memory_and_sees_every_window():
    stream = Stream(np.arange(1_000, dtype=np.uint16), 1_000, 10, 1)
    given = TextBatches(stream, batch_size=3, seed=1)
    steps = [given(step) for step in range(2 * given.windows)]
    assert [step for step, one in enumerate(steps) if one.begins] == [0, given.windows]
    for number in (0, 1):
        first = steps[number * given.windows]
        for place, one in enumerate(steps[number * given.windows : (number + 1) * given.windows]):
            np.testing.assert_array_equal(one.inputs, first.inputs + 10 * place)
            np.testing.assert_array_equal(one.targets, one.inputs + 1)
    with pytest.raises(ValueError, match=r"1,000 tokens has no window of 10 in each of batch_size = 101"):
        TextBatches(stream, batch_size=101, seed=1)


def test_a_window_that_no_stream_has_is_refused_before_a_run():
    with pytest.raises(ValueError, match=r"has no window of 90000 in each of batch_size = 8 streams"):
        runs.check(config_of(window=90_000))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tied_embeddings": True, "embedding_size": 12, "output_dropout": 0.3, "input_dropout": 0.2},
        {"adaptive_softmax": True, "average_decay": 0.9, "accumulate": 3, "compute_dtype": "bfloat16"},
        *(
            pytest.param(changes, marks=pytest.mark.slow)
            for changes in (
                {"models": ("lstm",), "input_dropout": 0.5},
                {"models": ("transformer",)},
                {"models": ("hybrid",)},
            )
        ),
    ],
)
def test_a_run_that_is_stopped_and_resumed_ends_in_the_same_numbers(tmp_path, changes):
    """To the last digit: weights, losses, and the memory that the streams were left with."""
    config = config_of(steps=7, **changes)
    (contestant,) = contestants(config)
    whole = RunFolder(tmp_path / "whole")
    with whole.writing("train language", config, False):
        runs.train_one(config, whole, contestant.name, lambda record: None, lambda: False)
    parts = RunFolder(tmp_path / "parts")
    with parts.writing("train language", config, False):
        while not parts.score(contestant.name).exists():
            stops = iter((False, True))
            runs.train_one(config, parts, contestant.name, lambda record: None, stops.__next__)
    one, other = (load_arrays(folder.weights(contestant.name))[0] for folder in (whole, parts))
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)
    points = [folder.evaluations(contestant.name) for folder in (whole, parts)]
    losses = [[(point["step"], point["loss"], point["validation_loss"]) for point in of] for of in points]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("changes", [{}, {"models": ("lstm",), "adaptive_softmax": True}])
def test_pieces_add_up_to_the_batch(changes):
    """Losses, weights and memory; a state goes over to another number of pieces."""
    dropped = {"input_dropout": 0.3, "output_dropout": 0.2, **changes}
    configs = [config_of(**dropped, accumulate=count) for count in (1, 3, 8)]
    learners, given = [learner_of(config) for config in configs], batches(configs[0])
    for step in range(4):
        losses = [learner.train_step(given(step), 1e-2)["loss"] for learner in learners]
        assert losses[1:] == pytest.approx(losses[:1] * 2, rel=1e-5)
        gradients = [[one.grad for one in learner.model.parameters()] for learner in learners]
        for wanted, *others in zip(*gradients):
            for other in others:
                torch.testing.assert_close(other, wanted, rtol=1e-3, atol=1e-5)
    whole, *others = (learner.state() for learner in learners)
    weights = [name for name in whole if name.startswith("model.")]
    for other in others:  # Adam makes large steps of rounding where a gradient is 0: all weights together
        gone = sum(np.square(other[name] - whole[name]).sum() for name in weights)
        assert gone < 1e-6 * sum(np.square(whole[name]).sum() for name in weights)
        for name in (name for name in whole if name.startswith("memory.")):
            np.testing.assert_allclose(other[name], whole[name], rtol=1e-3, atol=1e-4)
    learners[0].load_state(others[0])
    losses = [learner.train_step(given(4), 1e-2)["loss"] for learner in learners[:2]]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"models": ("rmc",), "adaptive_softmax": True},
        {"models": ("lstm",)},
        *(
            pytest.param({"models": (name,), "tied_embeddings": tied}, marks=pytest.mark.slow)
            for name, tied in (
                *(("rmc", True), ("gru", False), ("hybrid", True), ("transformer", False)),
                *(("dnc", True), ("deltanet", False), ("slstm", False)),
            )
        ),
    ],
)
def test_mixed_precision(changes):
    """Products in bfloat16 cost little of the loss; weights, gradients, memory and losses stay float32."""
    configs = [
        config_of(**changes, compute_dtype=dtype, accumulate=count)
        for dtype, count in (("float32", 1), ("bfloat16", 1), ("bfloat16", 3))
    ]
    learners, given = [learner_of(config) for config in configs], batches(configs[0])
    near = 0.15 if "deltanet" in changes["models"] else 1e-2  # its norm makes small reads large, errors too
    for step in range(4):
        wide, mixed, pieces = (learner.train_step(given(step), 1e-2)["loss"] for learner in learners)
        assert mixed == pytest.approx(wide, rel=near)
        assert pieces == pytest.approx(mixed, rel=near)
    assert mixed != wide
    learner = learners[1]
    gradients = [one.grad for one in learner.model.parameters() if one.grad is not None]
    kinds = {one.dtype for one in (*learner.model.parameters(), *gradients)}
    assert kinds == {torch.float32}
    kept = {array.dtype for name, array in learner.state().items() if name.startswith("memory.")}
    assert kept <= {np.dtype("float32"), np.dtype("bool")}
    text = short(splits_of(configs[0]).validation, 400)
    wide, mixed = (one.evaluate(text)["loss"] for one in learners[:2])
    assert mixed == pytest.approx(wide, rel=near)
    assert mixed != wide
    learners[2].load_state(learner.state())
    losses = [one.train_step(given(4), 1e-2)["loss"] for one in learners[1:]]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_a_checkpoint_with_another_memory_is_refused(tmp_path):
    config = config_of()
    learner = learner_of(config)
    learner.gradients(batches(config)(0))
    state = learner.state()
    assert state["memory.0"].shape == (config.budget.batch_size, 1, 16)
    learner_of(config).load_state(state)
    for name, value in (("memory.0", state["memory.0"][:1]), ("generator.dropout", np.zeros(3, np.uint8))):
        with pytest.raises(ValueError, match=r"memory|dropout|0"):
            learner_of(config).load_state({**state, name: value})


def test_results_tell_the_perplexity_and_choose_by_it(tmp_path):
    config = config_of(models=("rmc", "lstm"), steps=6)
    folder = RunFolder(tmp_path / "run")
    with folder.writing("train language", config, False):
        results = runs.run(config, folder, in_process=True)
    assert results.task == "language"
    for name, model in results.models.items():
        (training,) = model.trainings
        for split in ("validation", "test", "harder"):
            loss = training.more[f"{split}_loss"]
            assert training.more[f"{split}_perplexity"] == pytest.approx(math.exp(loss))
            assert training.more[f"{split}_bits_per_byte"] == pytest.approx(loss / math.log(2))
        assert model.more["test_perplexity"] == training.more["test_perplexity"]
        points = folder.evaluations(training.name)
        best = min(points, key=lambda point: point["validation_loss"])
        assert (training.best_step, training.more["validation_loss"]) == (
            best["step"],
            best["validation_loss"],
        )
        trained = load_weights(folder.weights(training.name))
        learner = framework_of("torch").learner(trained.model, config.of(name))
        assert learner.evaluate(splits_of(config).test)["loss"] == training.more["test_loss"]
    assert results.trivial["loss"].keys() == {"uniform", "unigram"}
    assert PERPLEXITY.rank(3.0) > PERPLEXITY.rank(4.0)


def test_the_trivial_losses_are_those_of_counts():
    task = Language(units="characters")
    text = read(task)
    train, test = text.streams["train"], text.streams["test"][1:]
    counts = np.bincount(train, minlength=task.classes) + 1
    expected = -np.log(counts[test] / counts.sum()).mean()
    found = trivial_losses(task)
    assert found["loss"]["unigram"] == pytest.approx(expected)
    assert found["loss"]["uniform"] == pytest.approx(math.log(task.classes))
    assert found["bits_per_byte"]["unigram"] == pytest.approx(expected / math.log(2))


@pytest.mark.parametrize(
    "options", [{}, {"tied": True}, {"cut_offs": (3, 7)}, {"head_layers": 2, "head_units": 4}]
)
def test_probabilities_sum_to_one_and_losses_are_theirs(options):
    generator = torch.Generator().manual_seed(3)
    core = RelationalMemory(5, mem_slots=1, head_size=3, num_heads=2, batch_first=True, generator=generator)
    model = LanguageModel(core, 11, 5, generator=generator, **options)
    tokens = torch.randint(11, (2, 6), generator=generator)
    features, memory = model(tokens)
    found = model.log_probabilities(features)
    assert found.shape == (2, 6, 11)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(2, 6))
    targets = torch.randint(11, (12,), generator=generator)
    losses, right = model.judge(features.flatten(0, 1), targets)
    torch.testing.assert_close(losses, -found.flatten(0, 1)[torch.arange(12), targets])
    assert right.tolist() == (found.flatten(0, 1).argmax(-1) == targets).tolist()
    assert memory.shape == (2, 1, 6)


def test_a_mask_is_the_same_at_all_steps_and_spares_the_memory():
    core = LSTM(5, 6, batch_first=True, generator=torch.Generator().manual_seed(0))
    model = LanguageModel(core, 11, 5, output_dropout=0.5)
    model.head = torch.nn.Identity()
    tokens = torch.randint(11, (3, 7), generator=torch.Generator().manual_seed(1))
    dropped, (h, _) = model(tokens, dropout=torch.Generator().manual_seed(2))
    kept, (other, _) = model.eval()(tokens)
    torch.testing.assert_close(h, other)
    gone = dropped == 0
    assert (gone == gone[:, :1]).all()
    assert 0 < gone[:, 0].sum() < gone[:, 0].numel()
    torch.testing.assert_close(dropped[~gone], 2 * kept[~gone])


def test_tied_weights_are_one_tensor():
    core = LSTM(5, 6, batch_first=True)
    model = LanguageModel(core, 11, 5, tied=True)
    assert sum(11 in parameter.shape and parameter.ndim == 2 for parameter in model.parameters()) == 1
    with pytest.raises(ValueError, match="tied embeddings need the full softmax"):
        LanguageModel(core, 11, 5, tied=True, cut_offs=(3,))


@pytest.mark.parametrize(
    "model",
    [pytest.param(name, marks=() if name in ("rmc", "lstm") else pytest.mark.slow) for name in MODELS],
)
def test_every_model_learns_a_text_beyond_its_frequencies(model):
    config = config_of(
        models=(model,), learning_rate=2e-2, head_size=16, embedding_size=16, steps=60, window=16
    )
    learner, given = learner_of(config), batches(config)
    for step in range(60):
        learner.train_step(given(step), 2e-2)
    found = learner.evaluate(short(splits_of(config).validation, 1_000, 16, 20))
    assert found["loss"] < trivial_losses(config.task)["loss"]["unigram"] - 0.3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"framework": "numpy"}, "language needs framework='torch', got 'numpy'"),
        ({"tied_embeddings": True, "adaptive_softmax": True}, "adaptive_softmax must be off"),
        ({"input_dropout": 1.0}, "input_dropout must be from 0 to below 1, got 1.0"),
        ({"grow": True, "start": ("window=2",)}, "comes as it is and cannot grow"),
        ({"accumulate": 9}, "accumulate must be at most batch_size = 8, got 9"),
        ({"embedding_size": 0}, "embedding_size must be an integer of at least 1"),
    ],
)
def test_wrong_values_are_refused(changes, told):
    with pytest.raises(ValueError, match=told):
        config_of(**changes)


def test_a_text_that_is_gone_is_told(tmp_path):
    with pytest.raises(ValueError, match="there is no text"):
        runs.check(config_of(data=str(tmp_path / "gone")))
    (tmp_path / "train.txt").write_text("")
    (tmp_path / "valid.txt").write_text("a b\n")
    with pytest.raises(BadFile, match="is empty"):
        runs.check(config_of(data=str(tmp_path)))


def test_the_commands_on_a_finished_run(tmp_path, capsys):
    """Evaluate has the scores of the run, failures the next tokens that are wrong, the report its finding."""
    config = config_of()
    folder = RunFolder(tmp_path / "run")
    with folder.writing("train language", config, False):
        results = runs.run(config, folder, in_process=True)
    assert main(["evaluate", str(folder.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["perplexity"] == pytest.approx(results.models["rmc"].more["test_perplexity"])
    assert found["harder_perplexity"] == pytest.approx(results.models["rmc"].more["harder_perplexity"])
    assert main(["evaluate", str(folder.path)]) == 0
    assert f"perplexity {found['perplexity']:.2f} (" in capsys.readouterr().out
    (tmp_path / "own.txt").write_text("Anna takes a key to the station .\n" * 9)
    assert main(["evaluate", str(folder.path), "--input", str(tmp_path / "own.txt"), "--json"]) == 0
    given = json.loads(capsys.readouterr().out)
    trained = load_weights(folder.weights("rmc-0"))
    vocabulary = read(config.task).vocabulary
    numbers = vocabulary.encode(Piece("Anna takes a key to the station .\n" * 9, 0, True))
    stream = Stream(numbers.astype(np.uint16), 9 * 34, config.task.window, config.task.streams)
    learner = framework_of("torch").learner(trained.model, config.of("rmc"))
    assert given["perplexity"] == pytest.approx(learner.evaluate(stream)["perplexity"])
    assert main(["evaluate", str(folder.path), "--input", str(tmp_path / "own.txt")]) == 0
    assert f"perplexity {given['perplexity']:.2f} (" in capsys.readouterr().out
    (tmp_path / "own.txt").write_text("")
    assert main(["evaluate", str(folder.path), "--input", str(tmp_path / "own.txt")]) == 2
    assert "own.txt is empty" in capsys.readouterr().err
    assert main(["evaluate", str(folder.path), "--dynamic", "0.5"]) == 0
    assert "RMC, dynamic evaluation with learning rate 0.5: perplexity " in capsys.readouterr().out
    assert main(["failures", str(folder.path), "--examples", "40", "--show", "1"]) == 0
    assert "\nAnswer: " in capsys.readouterr().out
    failed = json.loads((folder.path / "failures.json").read_text())
    assert 0 <= failed["models"][0]["accuracy"] < 1
    assert main(["report", str(folder.path)]) == 0
    page = folder.report.read_text()
    assert f"{finding(results)}." in page
    assert '<option value="validation" selected>' in page


def test_dynamic_evaluation_scores_each_window_before_it_learns_from_it():
    """One window has the score of the weights as they are; of a text that repeats itself, later ones less."""
    config = config_of(models=("lstm",), window=20)
    learner = learner_of(config)
    before = learner.parameters()
    tokens = splits_of(config).test.tokens[:21]
    first = Stream(tokens, 21, 20, 1)
    assert learner.evaluate_dynamic(first, 1.0) == pytest.approx(learner.evaluate(first))
    again = Stream(np.tile(tokens[:20], 8), 160, 20, 1)
    plain, dynamic = learner.evaluate(again)["loss"], learner.evaluate_dynamic(again, 1.0)["loss"]
    model, memory, losses = learner_of(config).model.eval(), None, []
    for begin in range(0, 159, 20):
        piece = torch.from_numpy(again.tokens[begin : begin + 21].astype(np.int64))[None]
        features, memory = model(piece[:, :-1], memory)
        memory = tuple(part.detach() for part in memory)
        losses.append(model.losses(features[0], piece[0, 1:]))
        grads = torch.autograd.grad(losses[-1].mean(), list(model.parameters()))
        norm = torch.stack([grad.norm() for grad in grads]).norm()
        with torch.no_grad():
            for parameter, grad in zip(model.parameters(), grads):
                parameter -= grad * min(1.0, config.optimisation.clip_norm / norm)
    assert dynamic == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)
    assert dynamic < plain - 0.1
    after = learner.parameters()
    assert all((before[name] == after[name]).all() for name in before)
    with pytest.raises(ValueError, match="dynamic must be a learning rate above 0, got -1"):
        learner.evaluate_dynamic(first, -1.0)


def test_the_finding_ranks_by_perplexity():
    def of(name, perplexities):
        one = {"parameters": 9, "test_accuracy": 0.5, "seconds": 1.0, "steps": 9, "examples": 9}
        one |= {
            "seconds_per_example": 1.0,
            "peak_memory": None,
            "examples_to_converge": 9,
            "label": name.upper(),
        }
        trainings = [
            one | {"name": f"{name}-{seed}", "best_step": 9, "test_perplexity": value}
            for seed, value in enumerate(perplexities)
        ]
        mean = sum(perplexities) / len(perplexities)
        chosen = [training["name"] for training in trainings]
        return one | {
            "name": chosen[0],
            "selected": chosen,
            "trainings": trainings,
            "test_perplexity": mean,
        }

    run = {"task": "language", "framework": "torch", "size": {}, "harder_size": None, "harder": None}
    run |= {"seed": 0, "test_examples": 10, "trivial_accuracy": 0.2, "wall_seconds": None}
    run |= {"generalisation": [], "trivial": {"perplexity": {"uniform": 40.0, "unigram": 20.0}}}

    def told(seeds, **models):
        models = {name: of(name, perplexities) for name, perplexities in models.items()}
        return finding(from_json(run | {"seeds": seeds, "models": models}))

    assert told(1, rmc=[5.0], lstm=[4.0]) == (
        "LSTM reaches perplexity 4.00, RMC 5.00; the trivial score is 20.00 (one seed)"
    )
    assert told(2, rmc=[4.0, 5.0], lstm=[4.5, 6.0], gru=[8.0, 9.0]) == (
        "The seeds of RMC and LSTM overlap at perplexity 4.50, 5.25, GRU 8.50; the trivial score is 20.00"
    )
    assert told(2, rmc=[21.0, 22.0], lstm=[30.0, 31.0]) == (
        "RMC and LSTM do not get below the trivial perplexity 20.0"
    )
