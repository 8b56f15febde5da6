"""The report of agents in a real browser: one slider moves the board, the agent's thoughts and its memory."""

import dataclasses

import numpy as np
import pytest
from tests.helpers.agents import page_of

from relational_rnn.analysis.report import write_agents_report

STEPS = 7


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_agents_report(tmp_path_factory.mktemp("page") / "report.html", page_of(STEPS))


def board(page):
    """Return the colours that the board shows, (H, W, 4)."""
    told = """c => {
        const drawn = c.getContext("2d").getImageData(0, 0, c.width, c.height);
        return [c.height, c.width, ...drawn.data];
    }"""
    height, width, *colours = page.eval_on_selector("#board", told)
    return np.array(colours).reshape(height, width, 4)


def test_the_slider_moves_board_actions_value_and_memory_together(report, open_page):
    page, episode = open_page(report), page_of(STEPS).episodes[0].episode
    for step in (0, 1, 2):
        np.testing.assert_array_equal(board(page)[..., :3], episode.pictures[step])
        chosen = page.inner_text("#actions .now span >> nth=0")
        assert chosen == episode.actions[episode.chosen[step]]
        value = f"{episode.values[step]:.2f}".rstrip("0")
        assert f"it expects {value} and chooses “{chosen}”" in page.inner_text("#status")
        sums = page.eval_on_selector_all("#map [data-text]", "all => all.map(t => Number(t.textContent))")
        assert sum(sums) == pytest.approx(300, abs=6)
        page.focus("#step")
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#count") == f"step 3 of {STEPS}"
    places = page.eval_on_selector_all("#strips .cursor", "all => all.map(c => c.getAttribute('x'))")
    assert len(places) == 3
    assert len(set(places)) == 1
    page.keyboard.press("End")
    assert page.inner_text("#status") == f"Step {STEPS}: the episode is over, with a return of 3."
    assert page.locator("#actions .now").count() == 0
    np.testing.assert_array_equal(board(page)[..., :3], episode.pictures[-1])


def test_of_many_actions_the_likeliest_are_shown(tmp_path, open_page):
    """Concentration has one for each of its 52 cards."""
    made = page_of(STEPS, actions=tuple(f"card {number}" for number in range(52)))
    (rmc, lstm), chosen = made.episodes, made.episodes[0].episode.chosen.copy()
    chosen[1] = rmc.episode.probabilities[1].argmin()
    rmc = dataclasses.replace(rmc, episode=rmc.episode._replace(chosen=chosen))
    made = dataclasses.replace(made, episodes=[rmc, lstm])
    page = open_page(write_agents_report(tmp_path / "report.html", made))
    assert page.inner_text("#which-actions").startswith("The 8 likeliest of 52 actions at each step")
    for step in range(2):
        names = page.eval_on_selector_all(
            "#actions > div", "all => all.map(row => row.children[0].textContent)"
        )
        likeliest = [
            f"card {one}" for one in np.argsort(-rmc.episode.probabilities[step].round(3), kind="stable")
        ]
        assert names == [*likeliest[:7], f"card {chosen[1]}" if step else likeliest[7]]
        assert page.inner_text("#actions .now span >> nth=0") == f"card {chosen[step]}"
        page.focus("#step")
        page.keyboard.press("ArrowRight")


def test_an_agent_without_slots_shows_its_game(report, open_page):
    page = open_page(report)
    page.select_option("#inside-run", "1")
    assert page.inner_text("#no-attention") == "Nothing is recorded inside LSTM."
    assert not page.locator("#map").is_visible()
    assert page.locator("#strips > *").count() == 0
    assert "it expects" in page.inner_text("#status")


def test_the_curves_have_negative_returns_and_players(report, open_page):
    page = open_page(report)
    drawn = page.inner_html("figure.curves .chart")
    assert "random player 9.00" in drawn
    assert "NaN" not in drawn
    assert "undefined" not in drawn
    page.focus("figure.curves .chart")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".tip") == "2,000 frames\nRMC -1.00\nLSTM 9.00"
    assert page.locator("figure.curves .controls label:visible").count() == 0


@pytest.mark.parametrize("width", [1280, 420])
def test_nothing_is_wider_than_the_window(report, open_page, overflow, width):
    page = open_page(report, width=width)
    assert overflow(page) <= 0
    for part in ("#board", "#actions", "#value svg", "#strips svg >> nth=0"):
        box = page.locator(part).bounding_box()
        assert box["x"] + box["width"] <= width, part
