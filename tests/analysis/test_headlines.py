"""Titles say what the numbers say."""

import numpy as np
import pytest

from relational_rnn.analysis import Attention, Reach, RecordedMemory, SizeAxis, attention_in_words
from relational_rnn.analysis import headlines as words


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ({"RMC": 0.9}, "RMC reaches 90.0 %; the trivial score is 50.0 %"),
        (
            {"LSTM": 0.895, "RMC": 0.9},
            "RMC and LSTM reach 89.5\N{EN DASH}90.0 %; the trivial score is 50.0 %",
        ),
        ({"LSTM": 0.4}, "LSTM stays below the trivial 50.0 %"),
        (
            dict.fromkeys("abcde", 0.5) | {"RMC": 0.6, "LSTM": 0.55},
            "RMC reaches 60.0 %, LSTM 55.0 %; 5 models stay at the trivial 50.0 %",
        ),
    ],
)
def test_scores(scores: dict[str, float], told: str) -> None:
    assert words.scores_in_words(scores, 0.5) == told


def test_efficiency_tells_the_highest_accuracy_that_all_seeds_of_a_model_reach() -> None:
    needed = {"RMC": [[100, 362_667], [100, None]], "LSTM": [[200, None], [300, None]]}
    told = "RMC reaches 50 % after 100 examples, LSTM after 250"
    assert words.efficiency_in_words(needed, [0.5, 0.9]) == told
    told = "No model reaches 50 % with all its trainings"
    assert words.efficiency_in_words({"RMC": [[None]]}, [0.5]) == told
    one = {"RMC": [[362_667.0]], "LSTM": [[None]]}
    assert words.efficiency_in_words(one, [0.9]) == "RMC reaches 90 % after 363 k examples, LSTM never"


def test_larger_sizes() -> None:
    def axis(name: str, last: float) -> SizeAxis:
        models = [Reach("RMC", "rmc", [[0.9, last]]), Reach("LSTM", "lstm", [[0.9, 0.1]])]
        return SizeAxis(name, [3, 6], 3, [0.2, 0.3], models)

    assert words.larger_in_words([axis("length", 0.5), axis("nesting", 0.31)]) == (
        "At length 6 instead of 3 RMC keeps 50.0 %, the trivial score is 30.0 %; "
        "at nesting 6 instead of 3 no model beats the trivial 30.0 %"
    )


def test_memories() -> None:
    held = np.zeros((1, 2, 2, 1))
    held[0, :, :, 0] = [[1.0, 1.0], [1.0, 3.0]]  # the second slot moves at the second step
    gates = np.full((1, 2, 2, 1), 0.25), np.full((1, 2, 2, 1), 0.75)
    rmc = RecordedMemory("rmc", held, np.ones((1, 2, 1)), held[:, :, 0], 9, 9, None, *gates)
    lstm = RecordedMemory("lstm", held[:, :, :1], np.ones((1, 1, 1)), held[:, :, 0], 9, 9)
    models = {"RMC": rmc, "LSTM": lstm}
    told = "After the last step 20.0 % of the memory of RMC differs between slots"
    assert words.memory_in_words(models) == told
    assert words.changes_in_words({"RMC": rmc}).endswith("RMC at step 2 (by 33 %)")
    assert words.gates_in_words(models) == "RMC keeps 75 % of the old and takes in 25 % of the new"
    assert words.usage_in_words(models) == "RMC spreads what it writes over 1.0 of 2 slots"


def test_attention_of_several_models() -> None:
    weights = np.zeros((2, 1, 2, 1, 2))
    weights[:, 0, 0, 0], weights[:, 0, 1, 0] = [0.9, 0.1], [0.5, 0.5]
    newest = np.array([[1.0, np.nan], [0.25, 0.75]])[:, None, None, None]
    alone = Attention(np.full((2, 1, 1, 2, 2), 0.5))
    told = attention_in_words(
        {"RMC": Attention(weights), "Transformer": Attention(newest, True), "tile": alone}
    )
    assert told == (
        "RMC gives 30 % of its attention to the input, head by head 10 to 50 %; "
        "Transformer gives 88 % of its attention to the newest step; tile attends to its slots alone"
    )
