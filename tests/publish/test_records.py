"""Every record has the present shape: one reader reads them all."""

import dataclasses
import json
import re

import pytest

from relational_rnn.experiments.many import LEAVING, MEANS
from relational_rnn.tasks import entry_of, find_task
from relational_rnn.tasks.score import ACCURACY
from relational_rnn.tasks.splits import score_to_beat
from relational_rnn.training.contestants import contestants
from relational_rnn.training.files import read_json
from relational_rnn.training.results import from_json, to_json
from relational_rnn.training.run import AVERAGED
from relational_rnn.training.run_folder import config_from
from tools.publish.records import COPIED, RECORDS, without_folders

CONFIG = {"command", "version", "commit", "python", "processor", "seed", "config"}
RUN = {
    *("task", "framework", "size", "harder_size", "harder", "seed", "seeds", "test_examples"),
    *("trivial_accuracy", "trivial", "wall_seconds", "models", "generalisation"),
}
EXPERIMENT = {
    *("task", "title", "framework", "models", "seed", "seeds", "test_examples", "factors", "base", "variants")
}
TRAINING = {
    *("name", "label", "parameters", "test_accuracy", "test_sequence_accuracy", "seconds", "steps"),
    *("examples", "seconds_per_example", "peak_memory", "best_step", "examples_to_converge"),
}
PATHS = sorted(RECORDS.glob("*.json"))
VARIANT = {"name", "values", "trivial_accuracy", "models", "runs"}
SCORE = {"label", "task_reached", "task_share", "parameters", *MEANS, *LEAVING}
OF_TEXT = ("loss", "perplexity", "bits_per_byte")
SPLITS = ("validation", "test", "harder")


def stem(path):
    return path.stem


def read(path):
    content = json.loads(path.read_text())
    assert content.keys() <= {"config", "results", "evaluations", *COPIED}
    recorded, results = content["config"], content["results"]
    assert recorded.keys() == CONFIG
    verb, task, *_ = recorded["command"].split()
    config = config_from(find_task(task), recorded["config"])
    assert recorded["config"] == json.loads(json.dumps(dataclasses.asdict(config))), "nothing is left out"
    assert [recorded["seed"], results["seed"], results["seeds"]] == [config.seed, config.seed, config.seeds]
    assert (results["task"], results["framework"]) == (task, config.runtime.framework)
    return verb, config, content


def test_a_record_names_no_folder_of_the_machine_that_made_it():
    run = {"config": {"task": {"data_dir": "/home/me/babi", "variant": "en"}}, "sizes": [{"data_dir": "x"}]}
    kept = {"config": {"task": {"data_dir": None, "variant": "en"}}, "sizes": [{"data_dir": None}]}
    assert without_folders(run) == kept
    for path in PATHS:
        assert not re.findall(r'"/\w[^"]*', path.read_text()), path.name


@pytest.mark.parametrize("path", PATHS, ids=stem)
def test_every_record_has_the_present_shape(path):
    verb, config, content = read(path)
    if verb == "train":
        check_run(config, content)
    else:
        check_experiment(config, content["results"])


def check_run(config, content):
    entry, results = entry_of(config.task), content["results"]
    assert results.keys() == RUN
    assert to_json(from_json(results)) == results
    assert list(results["models"]) == list(config.model.models)
    harder = {"harder"} if results["harder"] is not None else set()
    assert results["trivial_accuracy"] == score_to_beat(results["trivial"]["test"])
    of_text = set(OF_TEXT) if entry.score is not ACCURACY else set()
    trivial = {split for split in results["trivial"] if not split.endswith("_by_kind")}
    assert trivial == {"test", *harder, *of_text}
    named = [(training["name"], training["label"]) for training in trainings(results)]
    assert sorted(named) == sorted((one.name, one.label) for one in contestants(config))
    names = {name for name, _ in named}
    assert "evaluations" not in content or content["evaluations"].keys() == names
    wanted = set(TRAINING)
    wanted |= {"harder_accuracy", "harder_sequence_accuracy"} if harder else set()
    wanted |= {"test_by_kind"} if entry.kinds is not None else set()
    wanted |= {"longer"} if entry.name == "nth-farthest" else set()
    wanted |= {"long_words"} if entry.name == "group-word" else set()
    grown = {one.name for one in contestants(config) if one.grown}
    wanted |= {"validation_accuracy"} if "evaluations" in content else set()
    more = {f"{split}_{score}" for split in SPLITS for score in of_text}
    wanted |= more
    whole = (
        {"test_sequence_accuracy", "harder_sequence_accuracy"} if of_text else set()
    )  # a text is one sequence
    if "state_size" in trainings(results)[0]:  # kept since models have been compared by it
        wanted |= {"state_size"}
    for training in trainings(results):
        assert training.keys() == wanted - whole | ({"changes"} if training["name"] in grown else set())
        for change in training.get("changes", ()):
            assert change.keys() == {"step", "sizes"}
    for model in results["models"].values():
        own = {"label", "name", "selected", "trainings", "parameters"}
        own |= {"harder_accuracy"} & model["trainings"][0].keys() | {"test_by_kind"} & wanted
        own |= {"mean_error", "failed_tasks"} if entry.from_kinds is not None else set()
        assert model.keys() == own | (set(AVERAGED) - {"harder_accuracy"}) - whole | more
        assert model["name"] in model["selected"]
    for axis in results["generalisation"]:
        assert axis.keys() == {"axis", "sizes", "trained", "examples", "trivial", "models"}
        assert {name for model in axis["models"].values() for name in model["trainings"]} == names


@pytest.mark.parametrize("path", [path for path in PATHS if "evaluations" in read_json(path)], ids=stem)
def test_what_counts_for_a_model_was_chosen_by_validation(path):
    """By the number of the parameters that were kept, as the points of the curves have it."""
    content = read_json(path)
    results = content["results"]
    for model in results["models"].values():
        for training in model["trainings"]:
            batch = training["examples"] // training["steps"]
            points = {
                point["examples"]: point["validation_accuracy"]
                for point in content["evaluations"][training["name"]]
            }
            kept = points[training["best_step"] * batch]  # a run's records are rounded
            assert training["validation_accuracy"] == pytest.approx(kept, abs=1e-5)
        count = len(model["trainings"]) // results["seeds"]
        regimes = [model["trainings"][regime::count] for regime in range(count)]
        sums = [sum(one["validation_accuracy"] for one in regime) for regime in regimes]
        best = regimes[sums.index(max(sums))]
        assert model["selected"] == [one["name"] for one in best]
        if "validation_perplexity" in best[0]:
            assert model["name"] == min(best, key=lambda one: one["validation_perplexity"])["name"]
        else:
            assert model["name"] == max(best, key=lambda one: one["validation_accuracy"])["name"]
        assert model["test_accuracy"] == pytest.approx(sum(t["test_accuracy"] for t in best) / len(best))


def trainings(results):
    return [training for model in results["models"].values() for training in model["trainings"]]


def check_experiment(config, results):
    assert results.keys() == EXPERIMENT
    text = entry_of(config.task).score is not ACCURACY
    score_of_run = SCORE | ({f"{split}_perplexity" for split in SPLITS} if text else set())
    for variant in results["variants"]:
        assert variant.keys() == VARIANT
        for model in variant["models"].values():
            assert model.keys() == {"label", "parameters", "left", *MEANS, *LEAVING}
        for run in variant["runs"]:
            assert run.keys() == {"seed", "trivial_accuracy", "models", "diverged"}
            for score in run["models"].values():
                assert score.keys() == score_of_run
