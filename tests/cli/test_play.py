"""`relational-rnn play`: what players score, what is shown, and playing oneself in a terminal."""

import json
import os
import re
import select
import subprocess
import sys

import pytest

from relational_rnn.cli import play
from relational_rnn.cli.keys import words_of
from relational_rnn.cli.main import main
from relational_rnn.tasks.box_world import BoxWorld
from relational_rnn.tasks.concentration import Concentration
from relational_rnn.tasks.episodes import play_episodes
from relational_rnn.tasks.game_registry import GAMES, TRAINABLE
from relational_rnn.tasks.mini_pacman import MiniPacman

SHORT = {"mini-pacman": {"frame_cap": 60}, "box-world": {"frame_cap": 60}, "concentration": {"cards": 16}}
PLAYERS = [(name, player) for name in SHORT for player in TRAINABLE[name].players]


def test_every_game_and_setting_is_a_command():
    assert play.COMMANDS.keys() == SHORT.keys() >= GAMES.keys()
    for name in SHORT:
        own, known = vars(play.COMMANDS[name]()), vars(TRAINABLE[name].make())
        assert known == {setting: own[setting] for setting in known if setting != "observation"} | (
            {"observation": "rgb"} if "observation" in known else {}
        )


@pytest.mark.parametrize(("name", "player"), PLAYERS)
def test_the_scores_are_those_of_the_episodes(capsys, name, player):
    command = ["play", name, "--player", player, "--episodes", "4", "--seed", "6"]
    command += [
        word
        for setting, size in SHORT[name].items()
        for word in (f"--{setting.replace('_', '-')}", f"{size}")
    ]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    episodes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    played = play_episodes(TRAINABLE[name].make(**SHORT[name]), TRAINABLE[name].players[player], 4, 6)
    assert [one["seed"] for one in episodes] == [6, 7, 8, 9]
    assert [one["return"] for one in episodes] == played.returns.tolist()
    assert [one["steps"] for one in episodes] == played.steps.tolist()
    digits = 2 if abs(played.returns).max() < 2 else 1
    mean, least = (f"{value:.{digits}f}" for value in (played.returns.mean(), played.returns.min()))
    assert f"return    mean {mean}, range {least} to" in told
    assert f"stopped at the frame cap: {played.truncated.sum()} of 4" in told
    for name_of, counts in played.events.items():
        assert f"{name_of} {counts.mean():.2f}" in told


def test_settings_reach_the_game(capsys):
    words = "box_world --player scripted --path-lengths 2 --distractors 0 1 --size 11 --view viewport"
    assert main(["play", *words.split(), "--episodes", "5"]) == 0
    assert "return    mean 12.0, range 12.0 to 12.0" in capsys.readouterr().out
    words = "mini-pacman --mode rush --player scripted --episodes 3 --frame-cap 200 --json"
    assert main(["play", *words.split()]) == 0
    rush = GAMES["mini-pacman"].players["scripted"]
    expected = play_episodes(MiniPacman(mode="rush", frame_cap=200), rush, 3, 0).returns
    assert [json.loads(line)["return"] for line in capsys.readouterr().out.splitlines()] == expected.tolist()


def test_scripts_are_better_than_chance():
    for mode in ("regular", "hunt", "rush", "ambush", "avoid"):
        players = GAMES["mini-pacman"].players
        task = MiniPacman(mode=mode, frame_cap=200)
        random, scripted = (
            play_episodes(task, players[name], 12, 0).returns for name in ("random", "scripted")
        )
        assert scripted.mean() > random.mean() + 10, mode
    boxes = play_episodes(BoxWorld(), GAMES["box-world"].players["scripted"], 20, 0)
    assert (boxes.returns >= 11).all()
    assert not boxes.truncated.any()


def test_it_shows_episodes(capsys):
    words = "mini-pacman --player random --render --episodes 2 --seed 3 --view viewport"
    assert main(["play", *words.split()]) == 0
    shown = capsys.readouterr().out
    assert "score 0  level 1  power 0  step 0" in shown
    ends = re.findall(r"seed (\d): return ([\d.]+) in (\d+) steps", shown)
    assert [end[0] for end in ends] == ["3", "4"]
    assert shown.count("step 1\n") == 2
    assert "\x1b" not in shown


def test_what_keys_mean():
    assert words_of("wasd \x1b[A\x1bOD?q") == ["up", "left", "down", "right", "stay", "up", "left", "quit"]
    assert words_of("\x1b") == []


def in_a_terminal(arguments, keys, steps=None):
    """Run the command in a terminal of its own and press keys, each at its step; return what it shows."""
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "relational_rnn", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True) as process:
        os.close(theirs)
        shown = b""

        def read_until(pattern):
            nonlocal shown
            while not re.search(pattern, shown):
                assert select.select([ours], [], [], 30)[0], shown
                shown += os.read(ours, 4096)

        for step, key in zip(steps or range(len(keys)), keys):
            read_until(rb"step %d\b.*\r\n(.*\r\n){9}" % step)
            os.write(ours, key)
        read_until(rb"return .* steps\r\n")
        assert process.wait(timeout=30) == 0
    os.close(ours)
    return shown.decode()


@pytest.mark.skipif(os.name == "nt", reason="terminals of Linux and macOS")
def test_one_plays_oneself_in_a_terminal():
    keys = [b"w", b"\x1b[B", b"?a", b" d", b"q"]
    shown = in_a_terminal(["play", "box-world", "--seed", "1"], keys)
    assert "arrows or w a s d: move, q: quit" in shown
    assert "\x1b[15F\x1b[J" in shown
    games = BoxWorld().batch(1)
    games.reset(1)
    for action in (0, 1, 2, 3):
        games.step([action])
    assert games.text(0).replace("\n", "\r\n") in shown
    assert "return 0 in 4 steps" in shown


@pytest.mark.skipif(os.name == "nt", reason="terminals of Linux and macOS")
def test_one_turns_cards_in_a_terminal():
    keys = [b"\x1b[C", b"s", b" ", b"a", b"w", b" ", b"q"]  # to B2, and back to A1
    shown = in_a_terminal(
        ["play", "concentration", "--cards", "104", "--seed", "1"], keys, (0, 0, 0, 1, 1, 1, 2)
    )
    assert "arrows or w a s d: move, space: turn the card, q: quit" in shown
    games = Concentration(cards=104).batch(1)
    games.reset(1)
    score = 0
    for card, hand in ((14, 14), (0, 0)):
        score += games.step([card]).rewards[0]
        assert games.text(0, hand).partition("\n")[2].replace("\n", "\r\n") in shown
    assert f"return {round(score, 4):g} in 2 steps" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "which game or run? relational-rnn play mini-pacman, box-world, concentration or RUN"),
        (
            "pacman",
            "play has no game 'pacman' (did you mean mini-pacman?), and no folder of a run is there; "
            "games: mini-pacman, box-world, concentration",
        ),
        ("mini-pacman", "to play yourself takes a terminal; else name a player: --player random or scripted"),
        ("mini-pacman --json", "--json takes the scores of a --player, without --render"),
        ("mini-pacman --player random --episodes 0", "episodes must be an integer of at least 1, got 0"),
        ("mini-pacman --player random --seed -1", "seed must be an integer of at least 0, got -1"),
        ("mini-pacman --player random --window 4", "window must be odd, so that the player is in its centre"),
        ("mini-pacman --player random --frame-cap 0", "frame_cap must be an integer of at least 1, got 0"),
        ("box-world --player random --size 8", "size 8 has room for 2"),
        ("concentration --cards 9", "cards must be a multiple of 4, so that each of the 2 kinds has an even"),
        (
            "box-world --player random --path-lengths 0",
            "path_lengths must be an integer of at least 1, got 0",
        ),
    ],
)
def test_wrong_use(capsys, monkeypatch, words, message):
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["play", *words.split()]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.out == ""


def test_unknown_choices(capsys):
    assert main(["play", "mini-pacman", "--player", "greedy"]) == 2
    assert main(["play", "box-world", "--mode", "hunt"]) == 2
    assert "invalid choice 'greedy'" in capsys.readouterr().err
