"""What the page of a run reads: quantised, cut to its room, and nothing that breaks out of the page."""

import base64
import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest

from relational_rnn.analysis import Curve, RecordedMemory, record_memory
from relational_rnn.analysis.losses import Line, Losses
from relational_rnn.analysis.report import (
    NOTHING,
    Answered,
    Looked,
    RunPage,
    Watched,
    check_one_task,
    report_html,
)
from relational_rnn.analysis.report.data import (
    attention_words,
    curve_values,
    example_values,
    inside_values,
)
from relational_rnn.reference import LSTM, RelationalMemory
from relational_rnn.training.results import RunResult, from_json

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.standard_normal((4, 6, 5))


def watched_rmc() -> Watched:
    recorded = record_memory(RelationalMemory(5, 3, 4, 2, num_blocks=2), INPUTS)
    return Watched(recorded, recorded.attention)


def watched_transformer(steps: int = 6) -> Watched:
    weights = np.tril(np.ones((steps, steps)))
    weights /= weights.sum(1, keepdims=True)
    weights[np.triu_indices(steps, 1)] = np.nan
    return Watched(None, np.broadcast_to(weights[None, :, None, None, None], (4, steps, 1, 2, 1, steps)))


def looked(**models: Watched) -> Looked:
    answered = [
        Answered(
            f"question {n} </script><b>", "7", "even" if n % 2 == 0 else "odd", {"rmc": "7"}, {"rmc": True}
        )
        for n in range(5)
    ]
    return Looked(answered, models, [0, 2, 3, 4], [[f"word {t}" for t in range(6)]] * 4, ["a note"])


def decoded(part: dict[str, Any]) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(part["bytes"]), np.uint8).reshape(part["shape"])
    return values / 255 * part["top"]


def results(task: str = "sorting") -> RunResult:
    training = {
        "name": "rmc",
        "label": "RMC",
        "parameters": 9,
        "test_accuracy": 0.9,
        "seconds": 1.0,
        "test_sequence_accuracy": 0.5,
        "steps": 9,
        "examples": 9,
        "seconds_per_example": 0.1,
        "peak_memory": None,
        "examples_to_converge": 9,
    }
    model = training | {"selected": ["rmc"], "trainings": [training | {"best_step": 9}]}
    return from_json(
        {
            "task": task,
            "framework": "numpy",
            "size": {"items": 3},
            "harder_size": None,
            "harder": None,
            "seed": 0,
            "seeds": 1,
            "test_examples": 1000,
            "trivial_accuracy": 0.25,
            "wall_seconds": None,
            "trivial": {"test": {"chance": 0.1, "majority": 0.25, "shortcut": None}},
            "models": {"rmc": model},
            "generalisation": [],
        }
    )


def page(name: str = "runs/a", **changes: Any) -> RunPage:
    config = {"command": "train sorting", "version": "1", "commit": None, "config": {"task": {"items": 3}}}
    curve = Curve("RMC", "rmc", [1.0, 2.0], [64, 128], [0.5, 0.9])
    line = Line([64, 128], [2.0, 0.5], [], [])
    told = (results(), [curve], [Losses("RMC", "rmc", line, line)])
    plain = RunPage(name, "sorting, items 3", "Sort.", config, *told, looked(rmc=watched_rmc()))
    return dataclasses.replace(plain, **changes)


def data_of(html: str) -> Any:
    found = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_recorded_steps_come_back_within_a_byte() -> None:
    one = watched_rmc()
    values = inside_values(looked(rmc=one))
    assert (values["shown"], values["first"], values["cut"]) == ([0, 2, 3, 4], 0, False)
    found, memory = values["models"]["rmc"], one.memory
    assert isinstance(memory, RecordedMemory)
    assert memory.forget_gate is not None
    for name, expected in (
        ("attention", one.attention),
        ("forget_gate", memory.forget_gate.mean(-1)),
        ("norms", np.linalg.norm(memory.memories, axis=-1)),
    ):
        np.testing.assert_allclose(decoded(found[name]), expected, atol=0.51 * found[name]["top"] / 255)


def test_what_does_not_fit_is_left_out_from_the_end_of_the_examples_and_the_start_of_the_steps() -> None:
    every = looked(rmc=watched_rmc(), transformer=watched_transformer())
    fewer = inside_values(every, room=1200)
    assert 0 < len(fewer["shown"]) < 4
    assert (fewer["first"], fewer["cut"]) == (0, True)
    last = inside_values(every, room=100)
    assert len(last["shown"]) == 1
    assert last["first"] > 0
    assert last["steps"] == [[f"word {t}" for t in range(last["first"], 6)]]
    left = 6 - last["first"]
    found = last["models"]["transformer"]["attention"]
    assert found["shape"] == [1, left, 1, 2, 1, left]
    assert decoded(found)[0, -1, 0, 0, 0, -1] == pytest.approx(1 / 6, abs=1e-3)


def test_sequences_of_any_length_keep_to_the_room() -> None:
    long = Looked((), {"transformer": watched_transformer(300)}, [0, 1, 2, 3], [[""] * 300] * 4, ())
    found = inside_values(long, room=20_000)["models"]["transformer"]["attention"]
    assert 15_000 < np.prod(found["shape"]) <= 20_000


def test_not_finite_numbers_are_shown_as_the_largest() -> None:
    one = watched_rmc()
    assert one.memory is not None
    memories = one.memory.memories.copy()
    memories[0, -1] = np.inf
    broken = dataclasses.replace(one.memory, memories=memories)
    norms = inside_values(looked(rmc=Watched(broken, one.attention)))["models"]["rmc"]["norms"]
    assert decoded(norms)[0, -1].tolist() == pytest.approx([norms["top"]] * 3)


def test_an_lstm_has_gates_and_no_attention() -> None:
    recorded = record_memory(LSTM(5, 6), INPUTS)
    one = Watched(recorded, recorded.attention)
    found = inside_values(looked(lstm=one))["models"]["lstm"]
    assert "attention" not in found
    assert found["input_gate"]["shape"] == [4, 6, 1]
    assert attention_words(one, "LSTM") is None


def test_where_attention_goes_is_said_beside_uniform_attention() -> None:
    words = attention_words(watched_transformer(), "Transformer")
    assert words is not None
    assert "gives itself 41 %" in words
    assert "it would be 41 %" in words
    even = Watched(watched_rmc().memory, np.full((4, 6, 1, 2, 3, 4), 0.25))
    assert "25 % of its attention to the input" in str(attention_words(even, "RMC"))
    slots = Watched(watched_rmc().memory, np.full((4, 6, 1, 2, 3, 3), 1 / 3))
    assert "33 % of its attention to itself" in str(attention_words(slots, "hybrid"))


def test_long_curves_and_many_examples_are_thinned() -> None:
    steps = list(range(1000))
    curve = Curve("RMC", "rmc", steps, steps, [n / 1000 for n in steps])
    (values,) = curve_values([curve])
    assert len(values["values"]) <= 125
    assert values["examples"][-1] == 999
    answered = looked().answered
    assert len(example_values(answered, room=200)) == 2
    assert len(example_values(answered, room=1)) == 1


def test_the_page_says_the_finding_and_nothing_in_it_breaks_out() -> None:
    html = report_html([page()])
    assert "<h1>RMC reaches 90.0 %, the trivial score is 25 % (one seed).</h1>" in html
    assert "://" not in html  # nothing to load, nothing to follow
    assert html.count("<script") == html.count("</script>") == 2
    (run,) = data_of(html)["runs"]
    assert run["examples"][0]["question"] == "question 0 </script><b>"
    assert run["models"] == [{"name": "rmc", "label": "RMC", "colour": "#0072B2", "mark": "o"}]
    assert "a note" in html
    assert "relational-rnn train sorting --config config.json" in html
    assert "[[" not in html.partition("<script")[0]


def test_a_run_without_its_models_has_no_empty_sections() -> None:
    html = report_html([page(looked=dataclasses.replace(NOTHING, notes=["its weights are gone"]))])
    assert re.search(r'<section id="examples" hidden>', html)
    assert re.search(r'<section id="inside" hidden>', html)
    assert 'href="#inside"' not in html
    assert "its weights are gone" in html


def test_several_runs_share_the_page() -> None:
    other = dataclasses.replace(results(), size={"items": 4})
    html = report_html([page("a"), page("b")])
    assert "2 runs of sorting: the highest test score is 90.0 %, of RMC in b" in html
    assert html.count('class="run"') == 2
    assert "2 runs of sorting of different sizes" in report_html([page("a"), page("b", results=other)])
    with pytest.raises(ValueError, match="of one task, got sorting in a and copy in b"):
        check_one_task([("a", results()), ("b", results("copy"))])
