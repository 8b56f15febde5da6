"""What goes into the playground: models that it can show, and their numbers."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from helpers.playgrounds import TASK, random_model
from relational_rnn.analysis.playground.model import check_shown, read_model
from relational_rnn.analysis.playground.page import PARTS, SCRIPTS, page
from relational_rnn.analysis.playground.readings import find_readings
from relational_rnn.analysis.playground.scene import predict, scene_at, scene_of
from relational_rnn.config.checks import BadFile
from relational_rnn.recipes import find_recipe
from relational_rnn.tasks.nth_farthest import NthFarthest, sample
from relational_rnn.training.arrays_file import load_arrays, save_arrays
from relational_rnn.training.config import with_values
from relational_rnn.training.contestants import contestants
from relational_rnn.training.learners.numpy import NUMPY
from relational_rnn.training.pretrained import find_pretrained
from relational_rnn.training.weights import save_weights

CONFIG = with_values(
    dataclasses.replace(find_recipe("nth-farthest", "tiny"), task=TASK), {"models": ("rmc",)}
)


def saved(path, config=CONFIG):
    contestant = contestants(config)[0]
    model = NUMPY.build(config, contestant)
    save_weights(path, NUMPY, model, config, contestant)
    return model


@pytest.mark.parametrize(
    "values", [{}, {"initial_memory": "random", "seed": 3}, {"num_blocks": 2, "key_size": 3}]
)
def test_a_file_is_read_as_the_model_that_it_holds(tmp_path, values):
    model = saved(tmp_path / "rmc-0.safetensors", with_values(CONFIG, values))
    read = read_model(tmp_path / "rmc-0.safetensors")
    inputs = sample(TASK, 20, np.random.default_rng(0)).inputs
    wanted = model.forward(inputs, return_sequences=False)
    np.testing.assert_allclose(read.classifier.forward(inputs, return_sequences=False), wanted, atol=1e-5)
    assert predict(read, inputs).tolist() == wanted.argmax(1).tolist()


@pytest.mark.parametrize(
    ("values", "task", "told"),
    [
        (
            {},
            NthFarthest(objects=5, dimensions=3),
            "it needs dimensions=2, .* has dimensions=3; train one with:",
        ),
        ({}, NthFarthest(objects=13, dimensions=2), "has room for objects=12 at most, .* has 13"),
        ({"mem_slots": 13}, TASK, "has room for mem_slots=12 at most, .* has 13"),
        ({"models": ("lstm",)}, TASK, "shows an RMC, .* is of the model 'lstm'; train one with:"),
        ({"layer_norm_placement": "pre"}, TASK, "layer_norm_placement='authors' only, .* with .*'pre'"),
        ({"port_fault": "tied-mlp"}, TASK, "port_fault='none' only, .* with port_fault='tied-mlp'"),
    ],
)
def test_what_the_page_cannot_show_is_refused(tmp_path, values, task, told):
    path = tmp_path / "one.safetensors"
    config = with_values(dataclasses.replace(CONFIG, task=task), values)
    contestant = contestants(config)[0]
    notes = {"task": config.task.name, "config": dataclasses.asdict(config)}
    save_arrays(path, {"x": np.ones(1)}, notes | {"contestant": dataclasses.asdict(contestant)})
    with pytest.raises(ValueError, match=told):
        read_model(path)


def test_words_that_are_no_swaps_are_refused():
    config = with_values(find_recipe("group-word", "tiny"), {"models": ("rmc",)})
    with pytest.raises(ValueError, match=r"shows swaps, .* has elements='all', .*; train one with: .* swaps"):
        check_shown(Path("x"), config, contestants(config)[0])


def test_damaged_weights_are_a_bad_file(tmp_path):
    path = tmp_path / "one.safetensors"
    saved(path)
    values, notes = load_arrays(path)
    for changed in (
        {name: value for name, value in values.items() if name != "head.0.bias"},
        values | {"head.0.bias": np.ones(1, np.float32)},
        values | {"core.mlp.0.bias": np.full_like(values["core.mlp.0.bias"], np.nan)},
    ):
        save_arrays(path, changed, notes)
        with pytest.raises(BadFile, match="does not hold the weights of its model"):
            read_model(path)


def test_readings_find_what_a_memory_holds():
    """Without gates, and with a linear step, the memory is a sum that the last input enters as it is."""
    plain = {"use_mlp": False, "use_layer_norm": False, "use_attention": False, "gate_style": "none"}
    readings = find_readings(random_model(head_size=20, **plain), 2_000)
    for what in ("place", "distance"):
        assert np.shape(readings[what]["slots"]) == (4, 5)
        assert len(readings[what]["readings"]) == 5
    for reading in readings["place"]["readings"]:
        assert reading is None or (np.shape(reading["weights"]) == (2, 160) and reading["score"] >= 0.5)


def test_the_page_is_whole_and_loads_nothing():
    scene = scene_of(random_model(), "</script><b>", examples=100)
    text = page([scene])
    assert not re.search(r"\{\{\w+\}\}", text)
    assert text.count("</script>") == 2
    assert not re.search(r"(?:src|href)=.?https?:", text)
    found = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    assert found["scenes"][0]["name"] == "</script><b>"
    with pytest.raises(ValueError, match="needs a scene, got none"):
        page([])


def test_every_script_is_in_the_page():
    assert {*SCRIPTS} == {path.name for path in PARTS.glob("*.js")}


def test_the_shipped_page_is_small_and_its_model_has_learned():
    scene = scene_at(find_pretrained("nth-farthest-plane"), examples=2_000)
    swaps = scene_at(find_pretrained("group-word-swaps"), examples=500)
    assert len(page([scene, swaps])) < 500_000
    assert swaps["score"]["accuracy"] > 0.99
    assert swaps["score"]["trivial"] < 0.2
    assert swaps["training"]["command"].endswith("--preset swaps --models rmc --seed 0")
    assert scene["score"]["accuracy"] > 0.85
    assert scene["training"]["command"].endswith("--seed 0")


def test_the_site_has_the_page_where_it_is_linked():
    root = Path(__file__).parents[2]
    assert "relational-rnn playground --out build/site/playground.html" in (root / "Makefile").read_text()
    assert 'href="../playground.html"' in (root / "docs" / "playground.md").read_text()
