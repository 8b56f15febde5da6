"""What the playground computes in the page is what NumPy computes."""

import json

import numpy as np
import pytest

from helpers.playgrounds import SWAPS, TASK, random_model
from relational_rnn.analysis.playground.page import write_page
from relational_rnn.analysis.playground.readings import run_memories
from relational_rnn.analysis.playground.scene import head_layers, pack, scene_of
from relational_rnn.tasks import group_word
from relational_rnn.tasks.nth_farthest import sample

RUN = """({scene, inputs}) => {
  const core = new Core(scene);
  const plain = (rows) => rows && rows.map((row) => [...row]);
  const slots = (weights) => plain(weights).slice(0, core.slots);
  return JSON.stringify(inputs.map((sequence) => core.run(sequence.map((u) => Float64Array.from(u)))
    .map((step) => ({
      memory: plain(step.after), scores: [...step.answer.scores],
      i: plain(step.inputGate), f: plain(step.forgetGate),
      attention: step.blocks.map(({heads}) => heads && heads.map(({weights}) => slots(weights))),
    }))));
}"""

CONFIGURATIONS = {
    "usual": {},
    "memory gates": {"gate_style": "memory", "forget_bias": 0.5, "input_bias": -0.3},
    "two blocks": {"num_blocks": 2, "key_size": 3},
    "no gates": {"gate_style": "none", "attention_mlp_layers": 3, "initial_memory": "zeros"},
    "nothing but the mean": {"use_attention": False, "use_mlp": False, "use_residual": False},
    "no norms": {"use_layer_norm": False, "read_head": "mean", "initial_memory": "trainable"},
    "tile": {"input_fusion": "tile", "num_blocks": 2, "read_head": "weighted", "initial_memory": "random"},
    "gelu": {"read_head": "attention", "activation": "gelu", "hidden": (7, 6), "initial_memory": "normal"},
    "linear head": {"hidden": ()},
}


@pytest.fixture(scope="module")
def some_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("playground") / "page.html"
    write_page(path, [scene_of(random_model(), "random", examples=200)])
    return path


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_forward_pass_equals_the_numpy_core(some_page, open_page, name):
    model = random_model(**CONFIGURATIONS[name])
    inputs = sample(TASK, 100, np.random.default_rng(1)).inputs
    scene = {
        "core": vars(model.core.config),
        "head": {"layers": head_layers(model), "activation": model.classifier.head_activation},
        "weights": pack(with_float32(model)),
    }
    found = json.loads(open_page(some_page).evaluate(RUN, {"scene": scene, "inputs": inputs.tolist()}))
    memories = np.stack(run_memories(model, inputs), axis=1)  # (B, T, N, D)
    _, _, trace = model.core.forward(inputs, return_trace=True)
    wanted = {"memory": memories, "scores": model.classifier.forward(inputs)}
    if model.core.config.gate_style != "none":
        wanted |= {"i": trace.input_gate, "f": trace.forget_gate}
    if model.core.config.use_attention:
        wanted["attention"] = trace.attention
    for what, value in wanted.items():
        got = np.array([[step[what] for step in sequence] for sequence in found])
        np.testing.assert_allclose(got, value, atol=1e-5, rtol=0, err_msg=what)
        assert np.ptp(value) > 0


def test_the_scene_of_swaps_equals_numpy_and_its_task_the_packages(open_page, tmp_path):
    model = with_float32(random_model(task=SWAPS))
    write_page(tmp_path / "swaps.html", [scene_of(model, "random", examples=20)])
    batch = group_word.sample(SWAPS, 100, np.random.default_rng(1))
    tokens = batch.inputs.argmax(-1).tolist()
    found = json.loads(
        open_page(tmp_path / "swaps.html").evaluate(
            """(all) => JSON.stringify(all.map((order) => {
              const { data, core } = scenes[0];
              const steps = core.run(encodeSwaps(data, order));
              const names = data.orders.map(lettersOf);
              const truths = ordersAfter(data, order).map((row) => names.indexOf(lettersOf(row)));
              return [steps.map(({ answer }) => [...answer.scores]), truths];
            }))""",
            tokens,
        )
    )
    scores, orders = zip(*found, strict=True)
    np.testing.assert_allclose(np.array(scores), model.classifier.forward(batch.inputs), atol=1e-5, rtol=0)
    np.testing.assert_array_equal(orders, batch.targets)


def with_float32(model):
    """The page's weights are float32: so are the model's, from here on."""
    for value in model.classifier.params.values():
        value[...] = value.astype(np.float32)
    return model


def test_the_task_is_the_packages(some_page, open_page):
    batch = sample(TASK, 100, np.random.default_rng(2))
    questions = [
        {
            "points": batch.vectors[row][np.argsort(batch.labels[row])].tolist(),
            "order": batch.labels[row].tolist(),
            "reference": int(batch.reference[row]),
            "n": int(batch.n[row]),
        }
        for row in range(100)
    ]
    inputs, answers = open_page(some_page).evaluate(
        "(qs) => [qs.map((q) => encode(q).map((u) => [...u])), qs.map(trueAnswer)]", questions
    )
    np.testing.assert_array_equal(np.array(inputs), batch.inputs)
    assert answers == batch.targets.tolist()


def test_readings_are_applied_to_the_whole_memory(some_page, open_page):
    weights = [[0.5] + [0.0] * 39, [0.0] * 38 + [2.0, 0.0]]
    reading = {"score": 0.9, "weights": weights, "offset": [1, -1]}
    found = open_page(some_page).evaluate(
        """([reading, points]) => readMemory(
          {readings: {place: {readings: [reading, null, null, null, null]}}},
          {points, order: [0, 1, 2, 3, 4], reference: 4, n: 0},
          2, [0, 1, 2, 3].map((n) => Float64Array.from({length: 10}, (_, d) => 10 * n + d)))""",
        [reading, [[0, 0]] * 5],
    )
    assert found == {"0": {"score": 0.9, "place": [1, 75]}}
