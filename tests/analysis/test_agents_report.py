"""The page of a run of agents: what it holds of episodes, cut to its room, and what the tables say."""

import base64
import json

import numpy as np
from tests.helpers.agents import page_of

from relational_rnn.analysis.report.agents import agents_html
from relational_rnn.analysis.report.data import ROOM


def data_of(html):
    return json.loads(html.partition('id="data">')[2].partition("</script>")[0])


def bytes_of(part):
    return np.frombuffer(base64.b64decode(part["bytes"]), np.uint8).reshape(part["shape"])


def test_an_episode_can_be_read_back_from_the_page():
    page = page_of(steps=7)
    rmc, lstm = data_of(agents_html(page))["runs"]
    episode = page.episodes[0].episode
    recorded = rmc["inside"]["models"]["rmc"]
    colours = np.array(rmc["episode"]["palette"])[bytes_of(recorded["boards"])[0]]
    np.testing.assert_array_equal(colours, episode.pictures)
    assert bytes_of(recorded["attention"]).shape == (1, 8, 1, 2, 3, 4)
    gate = bytes_of(recorded["input_gate"])[0] / 255
    np.testing.assert_allclose(gate[:7], episode.input_gate, atol=0.5 / 255 + 1e-9)
    np.testing.assert_array_equal(gate[7], gate[6])  # after the last action it thinks no more
    assert rmc["episode"]["chosen"] == episode.chosen.tolist()
    assert rmc["inside"]["steps"][0] == [episode.actions[one] for one in episode.chosen] + ["over"]
    assert rmc["episode"]["ends"] == "the episode is over"
    assert lstm["inside"]["models"]["lstm"].keys() == {"transformer", "boards"}


def test_long_episodes_are_cut_to_the_room_of_a_page_and_the_page_says_so():
    long = page_of(steps=900, size=20)
    html = agents_html(long)
    rmc, lstm = data_of(html)["runs"]
    steps = len(rmc["episode"]["chosen"])
    assert 100 < steps < 900
    assert bytes_of(rmc["inside"]["models"]["rmc"]["boards"]).shape == (1, steps + 1, 20, 20)
    assert rmc["episode"]["ends"] == lstm["episode"]["ends"] == "the episode goes on"
    assert "Long episodes are cut to what fits on the page" in html
    assert "Long episodes are cut" not in agents_html(page_of(steps=7))
    assert len(html) < 500_000
    assert ROOM < 500_000 * 3 / 4


def test_boards_of_many_colours_keep_their_look():
    pictures = np.random.default_rng(0).integers(256, size=(3, 20, 20, 3)).astype(np.uint8)
    page = page_of(steps=2, size=20, pictures=pictures)
    (episode, _) = data_of(agents_html(page))["runs"]
    shown = np.array(episode["episode"]["palette"])[bytes_of(episode["inside"]["models"]["rmc"]["boards"])[0]]
    assert np.abs(shown - pictures.astype(int)).max() < 64


def test_players_that_are_far_from_the_curves_are_named_in_words():
    page = page_of(steps=2)
    html = agents_html(page)
    assert data_of(html)["training"]["players"] == [["random player 9.00", 9.0]]
    assert "Scripted player: 519.6, off the panel." in html
