"""Runs of agents: equal to the bit whether stopped or not, scored on levels of their own, watched after."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from relational_rnn.analysis.episode import animate_episode, check_animation, draw_episode  # noqa: E402
from relational_rnn.cli.main import main  # noqa: E402
from relational_rnn.rl import run as runs  # noqa: E402
from relational_rnn.rl.agents import build_agent, find_agent, load_state, state_of  # noqa: E402
from relational_rnn.rl.config import LEVELS, PPO, AgentConfig, AgentRun, PlayConfig  # noqa: E402
from relational_rnn.rl.ppo import AgentPlayer, Learner  # noqa: E402
from relational_rnn.rl.presets import PRESETS, find_preset  # noqa: E402
from relational_rnn.rl.watch import watch  # noqa: E402
from relational_rnn.tasks.box_world import BoxWorld  # noqa: E402
from relational_rnn.tasks.concentration import Concentration  # noqa: E402
from relational_rnn.tasks.cue_recall import CueRecall  # noqa: E402
from relational_rnn.tasks.episodes import play_episodes  # noqa: E402
from relational_rnn.tasks.game_registry import TRAINABLE  # noqa: E402
from relational_rnn.tasks.mini_pacman import MiniPacman  # noqa: E402
from relational_rnn.tasks.repeat_previous import RepeatPrevious  # noqa: E402
from relational_rnn.tasks.sorting import Sorting  # noqa: E402
from relational_rnn.training.config import RunConfig  # noqa: E402
from relational_rnn.training.run_folder import RunFolder  # noqa: E402

pytestmark = pytest.mark.torch

SMALL = {
    "model": AgentConfig(models=("rmc",), encoder_width=8, mem_slots=2, head_size=4),
    "learning": PPO(frames=5 * 6 * 4, rollout=6, minibatches=2, epochs=2, learning_rate=0.01),
    "play": PlayConfig(games=4, evaluate_every=48, curve_episodes=3, test_episodes=5),
}
TASKS = {
    "cue-recall": CueRecall(delay=1),
    "repeat-previous": RepeatPrevious(k=2),
    "concentration": Concentration(cards=8),
    "box-world": BoxWorld(size=8, path_lengths=(1,), distractors=(0,), view="viewport", frame_cap=9),
    "mini-pacman": MiniPacman(view="viewport", frame_cap=9),
}
WORDS = ["train", "cue-recall", "--preset", "tiny", "--delay", "1", "--frames", "64", "--games", "4"]
WORDS += ["--rollout", "8", "--evaluate-every", "32", "--curve-episodes", "4", "--test-episodes", "6"]
WORDS += ["--epochs", "1", "--minibatches", "1", "--models", "rmc,gru"]


@pytest.fixture
def here(monkeypatch):
    """Train in this process."""

    def one_by_one(names, train, *, workers, show):
        for name in names:
            train(name, lambda record, name=name: show(name, record), lambda: False)

    monkeypatch.setattr(runs, "train_side_by_side", one_by_one)


def lines_of(folder):
    """Return the records of a run without its times."""
    return [{key: value for key, value in one.items() if key != "seconds"} for one in folder.records()]


def test_every_game_can_be_trained_and_has_presets():
    assert TASKS.keys() == TRAINABLE.keys() == PRESETS.keys()
    for game, presets in PRESETS.items():
        for preset in presets:
            run = find_preset(game, preset)
            assert run.task.name == game
            assert run.updates > 1


@pytest.mark.parametrize(("game", "model"), [*((game, "rmc") for game in TASKS), ("cue-recall", "slstm")])
def test_a_learner_goes_on_from_its_state_as_if_nothing_had_happened(game, model):
    config = AgentRun(task=TASKS[game], **SMALL | {"model": AgentConfig(models=(model,), encoder_width=8)})

    def learner(seed):
        agent = build_agent(config, model, seed)
        return Learner(config.task.batch(4), agent, config.learning, seed)

    first, second = learner(3), learner(4)
    for _ in range(2):
        first.advance()
    load_state(second, state_of(first))
    np.testing.assert_equal(second.advance(), first.advance())  # a mean over no episode is NaN in both
    for name, value in state_of(first).items():
        np.testing.assert_array_equal(state_of(second)[name], value, err_msg=name)


def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path, monkeypatch, here):
    """Killed after a record was written and before its checkpoint; the last one was an update earlier."""
    dies_at = 3
    config = AgentRun(task=TASKS["box-world"], seed=7, **SMALL)
    whole, killed = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "killed")
    with whole.writing("train box-world", config, False):
        runs.run(config, whole)
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
    write, saved = runs.save_arrays, []

    def dies(path, arrays, notes):
        if notes["step"] == dies_at:
            raise KeyboardInterrupt
        saved.append(notes["step"])
        write(path, arrays, notes)

    monkeypatch.setattr(runs, "save_arrays", dies)
    with killed.writing("train box-world", config, False), pytest.raises(KeyboardInterrupt):
        runs.run(config, killed)
    assert saved[-1] == dies_at - 1
    assert lines_of(killed)[-1]["step"] == dies_at
    monkeypatch.setattr(runs, "save_arrays", write)
    with killed.writing("train box-world", config, True):
        results = runs.run(config, killed, resume=True)
    assert killed.weights("rmc-7").read_bytes() == whole.weights("rmc-7").read_bytes()
    assert lines_of(killed) == lines_of(whole)
    assert results.wall_seconds is None
    there = runs.read_results(whole.results)
    assert results.models["rmc"].trainings[0].played == there.models["rmc"].trainings[0].played


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(tmp_path, here):
    config = AgentRun(task=TASKS["cue-recall"], **SMALL)
    folder = RunFolder(tmp_path / "run")
    with folder.writing("train cue-recall", config, False):
        runs.run(config, folder)
        other = AgentRun(task=TASKS["cue-recall"], **SMALL | {"learning": PPO(frames=10_000)})
        folder.weights("rmc-0").unlink()
        with pytest.raises(ValueError, match="is the checkpoint of another training"):
            runs.train_one(other, folder, "rmc-0", lambda record: None, lambda: False)
        folder.checkpoint("rmc-0").write_bytes(b"no arrays")
        with pytest.raises(ValueError, match="is no readable safetensors file"):
            runs.train_one(config, folder, "rmc-0", lambda record: None, lambda: False)


def test_a_training_that_diverges_is_a_result(tmp_path, here):
    config = AgentRun(task=TASKS["cue-recall"], **SMALL | {"learning": PPO(frames=400, learning_rate=1e30)})
    folder = RunFolder(tmp_path / "run")
    with folder.writing("train cue-recall", config, False):
        (training,) = runs.run(config, folder).models["rmc"].trainings
    assert "training diverged" in training.diverged
    assert "try a lower learning_rate" in training.diverged
    assert all(np.isfinite(value).all() for value in state_of_weights(folder).values())


@pytest.mark.parametrize("learning_rate", [1e12, 1e36])
def test_an_agent_that_the_last_update_breaks_is_not_scored(learning_rate):
    learning = PPO(frames=8, rollout=2, minibatches=1, epochs=1, learning_rate=learning_rate)
    config = AgentRun(task=TASKS["cue-recall"], **SMALL | {"learning": learning})
    learner = Learner(config.task.batch(4), build_agent(config, "rmc"), learning)
    before = {name: value.clone() for name, value in learner.agent.state_dict().items()}
    assert learner.rollouts == 1
    with pytest.raises(FloatingPointError, match="training diverged"):
        learner.advance()
    for name, value in learner.agent.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, msg=name)


def state_of_weights(folder):
    agent, _, _ = find_agent(folder.path)
    return {name: value.numpy() for name, value in agent.state_dict().items()}


def test_seeds_share_no_level_and_none_is_evaluated_on_a_level_of_training(monkeypatch):
    started = []
    reset = type(CueRecall().batch(1)).reset
    monkeypatch.setattr(
        type(CueRecall().batch(1)), "reset", lambda self, seed: started.append(seed) or reset(self, seed)
    )
    for seed in (0, 1):
        games = CueRecall().batch(8)
        Learner(games, build_agent(AgentRun(task=CueRecall()), "gru"), PPO(), seed)
    assert [seed for seed in started if seed][-1] == 8
    most = LEVELS["curve"] // 64 - 1
    assert (AgentRun(task=CueRecall(), seed=most).seed + 1) * 64 <= LEVELS["curve"]
    with pytest.raises(ValueError, match=f"seed must be at most {most} with games=64, got {most + 1}"):
        AgentRun(task=CueRecall(), seed=most + 1)


def test_actions_are_drawn_by_their_probabilities():
    player = AgentPlayer(build_agent(AgentRun(task=CueRecall()), "gru"), drawn=True)
    shares = np.array([0.1, 0.0, 0.6, 0.3], np.float32)
    drawn = player.choose(np.tile(shares, (20_000, 1)), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 20_000, shares, atol=0.01)
    assert not (drawn == 1).any()
    player.drawn = False
    assert player.choose(shares[None], np.random.default_rng(0)).tolist() == [2]


def test_opponents_have_at_least_as_many_parameters():
    config = AgentRun(task=CueRecall(), model=AgentConfig(models=("rmc", "lstm", "gru", "hybrid")))
    counts = [
        sum(parameter.numel() for parameter in build_agent(config, model).parameters())
        for model in config.model.models
    ]
    assert counts[0] == min(counts)
    assert max(counts) < 1.1 * counts[0]


def data_of(page):
    """Return what the scripts of a page read."""
    return json.loads(page.read_text().partition('id="data">')[2].partition("</script>")[0])


def test_opponents_of_equal_state():
    config = AgentRun(
        task=CueRecall(), model=AgentConfig(models=("rmc", "lstm", "gru", "deltanet"), match="state")
    )
    rmc, *others = (build_agent(config, name).core for name in config.model.models)
    wanted = rmc.initial_state(1).numel()
    for core in others:
        state = core.initial_state(1)
        parts = (state,) if isinstance(state, torch.Tensor) else state
        assert sum(part.numel() for part in parts) >= wanted, core
    assert [core.output_size for core in others[:2]] == [wanted // 2, wanted]


def test_train_and_play_from_the_command_line(tmp_path, capsys, here):
    out = tmp_path / "run"
    assert main([*WORDS, "--seeds", "2", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    for model in ("rmc", "gru"):
        scores = [one["played"]["mean_return"] for one in results["models"][model]["trainings"]]
        assert results["models"][model]["mean_return"] == pytest.approx(sum(scores) / 2)
        agent, config, _ = find_agent(out, model, 1)
        player = AgentPlayer(agent, drawn=True)
        assert play_episodes(config.task, player, 6, LEVELS["score"]).returns.mean() == scores[1]
        assert (out / "plots" / f"episode-{model}.gif").read_bytes()[:3] == b"GIF"
    assert (out / "plots" / "returns.png").exists()
    assert "mean return of 6 episodes on levels that no agent trained on; means of 2 seeds" in told
    assert "scripted player" in told
    assert main(["train", "cue-recall", "--out", str(out), "--resume"]) == 0
    capsys.readouterr()

    assert main(["play", str(out)]) == 0
    assert f"seed {LEVELS['score']}: return" in capsys.readouterr().out
    assert main(["play", str(out), "--model", "gru", "--json", "--episodes", "3"]) == 0
    assert [json.loads(line)["steps"] for line in capsys.readouterr().out.splitlines()] == [3, 3, 3]
    assert main(["play", str(out), "--score", "--episodes", "3"]) == 0
    assert "steps     mean 3.0" in capsys.readouterr().out
    animated = tmp_path / "mine.gif"
    assert main(["play", str(out), "--animate", str(animated)]) == 0
    with pytest.importorskip("PIL.Image").open(animated) as image:
        assert image.n_frames == 4  # before each step, and after the last

    assert "report.html" in told
    (out / "report.html").unlink()
    capsys.readouterr()
    assert main(["report", str(out)]) == 0
    assert capsys.readouterr().out == f"Written: {out / 'report.html'}\n"
    page = data_of(out / "report.html")
    assert len(page["runs"]) == 2 * 3  # an RMC and a GRU on three levels
    assert page["runs"][0]["name"].startswith(f"RMC, seed {find_agent(out, 'rmc')[2].seed}, level")
    assert page["runs"][0]["inside"]["models"]["rmc"]["attention"]["shape"] == [1, 4, 1, 2, 2, 3]
    assert [curve["label"] for curve in page["training"]["curves"]] == ["RMC", "GRU"]
    episode = out / "plots" / "episode-gru.gif"
    drawn = episode.read_bytes()
    episode.unlink()
    assert main(["visualize", str(out), "--only", "episode-gru,returns", "--format", "svg"]) == 0
    assert capsys.readouterr().out.split() == [str(out / "plots" / "returns.svg"), str(episode)]
    assert episode.read_bytes() == drawn
    assert main(["visualize", str(out), "--only", "episode-gru", "--example", "1"]) == 0
    assert capsys.readouterr().out.split() == [str(episode)]
    assert episode.read_bytes() != drawn, "another level"

    weights = out / "checkpoints" / f"gru-{find_agent(out, 'gru')[2].seed}.safetensors"
    kept = weights.read_bytes()
    weights.unlink()
    assert main(["visualize", str(out), "--only", "episode-gru"]) == 1
    assert f"Left out episode-gru: weights are gone ({weights})" in capsys.readouterr().out
    assert main(["report", str(out)]) == 0
    assert f"Episodes are left out, as weights are gone: GRU ({weights.name})." in capsys.readouterr().out
    assert data_of(out / "report.html")["runs"] == []
    weights.write_bytes(kept)

    metrics = (out / "metrics.jsonl").read_text()
    for damaged in ("", metrics.replace('"curve_return"', '"curve_return": "much", "was"')):
        (out / "metrics.jsonl").write_text(damaged)
        assert main(["train", "cue-recall", "--out", str(out), "--resume"]) != 0
        assert "metrics.jsonl is missing or damaged, for the finished training" in capsys.readouterr().err
    (out / "metrics.jsonl").write_text(metrics)

    written = (out / "results.json").read_text()
    (out / "results.json").write_text(written[:200])
    assert main(["play", str(out)]) == 2
    assert capsys.readouterr().err.count("remove it") == 1
    (out / "results.json").write_text(written)

    other = tmp_path / "other"
    with RunFolder(other).writing("train sorting", RunConfig(task=Sorting()), False):
        pass
    for command, wrong in (
        (["play", str(out), "--model", "lstm"], "model must be one of 'rmc', 'gru', got 'lstm'"),
        (["play", str(out), "--training-seed", "5"], "has agents with RMC of the seeds 0, 1; got 5"),
        (
            ["play", str(out), "--animate", str(tmp_path / "a.png")],
            "must be one of '.gif', '.mp4', got '.png'",
        ),
        (["play", str(out), "--animate", "a.gif", "--score"], "--animate writes one episode"),
        (["play", str(tmp_path / "none")], "and no folder of a run is there"),
        (
            ["train", "box-world", "--resume", "--out", str(out)],
            "holds a run of `cue-recall`, not `box-world`",
        ),
        (["train", "cue-recall", "--resume", "--out", str(out), "--delay", "3"], "delay: 1 there, 3 now"),
        (["train", "box-world", "--config", str(out / "config.json")], "holds no settings of box-world"),
        (["play", str(tmp_path)], "holds no run (no config.json)"),
        (["play", str(other)], "holds a run of `train sorting`, which has no agents that play"),
        (["report", str(out), str(other)], "a run of agents has a page of its own, got 2 runs"),
        (["report", str(out), "--out", str(out / "results.json")], "is part of the run in"),
        (["visualize", str(out), "--only", "return"], "figures: returns, episode-rmc, episode-gru"),
        (["visualize", str(out), "--example", "-1"], "example must be an integer of at least 0, got -1"),
        (["evaluate", str(out)], f"relational-rnn play {out} --score says what it scores"),
        (["generate", str(out)], "holds agents of a game: watch them with relational-rnn play"),
        (["playground", str(out)], "holds agents of a game: watch them with relational-rnn play"),
    ):
        assert main(command) == 2
        assert wrong in capsys.readouterr().err


def test_an_animation_ends_with_what_the_episode_came_to():
    pytest.importorskip("matplotlib")
    watched = watch(build_agent(AgentRun(task=TASKS["cue-recall"]), "gru"), TASKS["cue-recall"], seed=0)
    assert len(watched.pictures) == 1 + len(watched.chosen) == 4
    watched = watched._replace(rewards=np.array([0.0, 0.0, 1.0]))
    figure, _, show = draw_episode(watched, title="a game")
    show(3)
    assert "step 3, return so far 1" in [text.get_text() for text in figure.texts]


def test_a_film_takes_an_encoder(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    watched = watch(build_agent(AgentRun(task=TASKS["cue-recall"]), "gru"), TASKS["cue-recall"], seed=0)
    film = tmp_path / "new" / "film.mp4"
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\ncat > /dev/null; echo 'no such codec' >&2; exit 3\n")
    failing.chmod(0o755)
    for program, error, told in (
        (None, ValueError, "none is installed: pip install imageio-ffmpeg"),
        (str(failing), OSError, "failed: no such codec"),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "imageio_ffmpeg", None)
            patch.setattr("shutil.which", lambda name, program=program: program)
            with pytest.raises(error, match=told):
                animate_episode(watched, title="a game", path=film)
        assert not film.exists()
    try:
        check_animation(film)
    except ValueError:
        pytest.skip("a film takes imageio-ffmpeg or ffmpeg")
    animate_episode(watched, title="a game", path=film)
    assert film.read_bytes()[4:8] == b"ftyp"


def test_wrong_settings(tmp_path, capsys):
    for command, wrong in (
        ("train mini-pakman", "there is no task 'mini-pakman' (did you mean mini-pacman?)"),
        (
            "train cue-recall --preset slow",
            "there is no preset 'slow' for cue-recall; known presets: quick, tiny",
        ),
        ("train cue-recall --models rmc,transformer", "'transformer', which keeps every step of an episode"),
        ("train mini-pacman --mode rash", "mode must be one of"),
        ("train mini-pacman --games 2", "minibatches must be at most the number of games, 2, got 4"),
        ("train mini-pacman --framework numpy", "agents need framework='torch', got 'numpy'"),
        ("train mini-pacman --max-norm 0", "max_norm must be above 0, got 0.0"),
        ("train cue-recall --resume", "--resume needs the run's folder"),
        ("compare mini-pacman", "compare takes no games; their agents are trained by relational-rnn train"),
    ):
        assert main([*command.split(), *(["--out", str(tmp_path)] if "--resume" not in command else [])]) == 2
        assert wrong in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_runs_are_equal_to_the_bit_and_ctrl_c_changes_nothing(tmp_path):
    command = [sys.executable, "-m", "relational_rnn", "train", "cue-recall", "--preset", "tiny"]
    command += ["--frames", "20000", "--models", "rmc", "--out"]
    for name in ("first", "second"):
        subprocess.run([*command, str(tmp_path / name)], check=True, capture_output=True)
    stopped = subprocess.Popen([*command, str(tmp_path / "third")], stdout=subprocess.PIPE, text=True)
    metrics = tmp_path / "third" / "metrics.jsonl"
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 3:
        assert stopped.poll() is None
        time.sleep(0.05)
    os.kill(stopped.pid, signal.SIGINT)
    told, _ = stopped.communicate()
    assert stopped.returncode == 130
    assert "train cue-recall --out" in told
    assert "--resume" in told
    subprocess.run([*command, str(tmp_path / "third"), "--resume"], check=True, capture_output=True)
    weights = [
        (tmp_path / name / "checkpoints" / "rmc-0.safetensors").read_bytes()
        for name in ("first", "second", "third")
    ]
    assert weights[0] == weights[1] == weights[2]
    lines = [lines_of(RunFolder(tmp_path / name)) for name in ("first", "second", "third")]
    assert lines[0] == lines[1] == lines[2]
