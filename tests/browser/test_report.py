"""The report of a run in a real browser: quiet console, no request, keys, narrow and wide windows."""

import pytest

from relational_rnn import experiments
from relational_rnn.cli.main import main

TRAIN = {"preset": "tiny", "framework": "numpy", "seeds": 1, "steps": 10, "evaluate_every": 5}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "sorting"
    experiments.compare("sorting", ["rmc", "hybrid", "lstm"], **TRAIN, out=out)
    assert main(["report", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def report(run):
    return run / "report.html"


def colours(page):
    return page.eval_on_selector_all("#map [data-cell]", "cells => cells.map(c => c.getAttribute('fill'))")


def test_the_first_screen_holds_the_finding_the_table_and_the_curves(report, open_page):
    page = open_page(report)
    assert page.inner_text("h1").endswith("(one seed).")
    assert page.locator("main table").first.locator("thead th").count() <= 6
    for part in ("h1", "main table >> nth=0", "figure.curves svg >> nth=0"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] < 900, part
    page.hover("figure.curves .chart", position={"x": 300, "y": 100})
    assert page.locator(".tip div").count() == 4  # how many examples, and three models
    page.focus("figure.curves .chart")
    page.keyboard.press("ArrowRight")
    first = page.inner_text(".tip")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text(".tip") != first


def test_the_curves_show_the_loss_too(report, open_page):
    page = open_page(report)
    page.focus("figure.curves .chart")
    page.keyboard.press("ArrowRight")
    assert "%" in page.inner_text(".tip")
    drawn = page.inner_html("figure.curves .chart")
    for view in ("validation", "training"):
        page.select_option("figure.curves .view", view)
        assert page.locator("figure.curves .axis-of").is_hidden()
        assert page.locator("figure.curves .legend li").count() == 3
        before, drawn = drawn, page.inner_html("figure.curves .chart")
        assert drawn != before
        assert "NaN" not in drawn
        assert "undefined" not in drawn
        assert page.locator("figure.curves svg text.quiet[text-anchor=end]").count() >= 2
        page.focus("figure.curves .chart")
        page.keyboard.press("ArrowLeft")
        assert "%" not in page.inner_text(".tip")


def test_the_slider_moves_map_gates_and_slots_together(report, open_page):
    page = open_page(report)
    before, cursors = colours(page), "#strips .cursor"
    assert len(before) == 2 * 3  # two slots over two slots and the input
    assert page.locator(cursors).count() == 3
    page.focus("#step")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#count").startswith("step 3 of")
    assert colours(page) != before
    numbers = page.locator("#strips svg >> nth=0").locator("text.quiet").all_text_contents()
    assert numbers[:3] == ["step", "1", "2"]
    places = page.eval_on_selector_all(cursors, "all => all.map(c => c.getAttribute('x'))")
    assert len(set(places)) == 1
    assert page.inner_text("#tape .now") == page.inner_text("#tape span >> nth=2")
    assert "Step 3 reads" in page.inner_text("#status")
    sums = page.eval_on_selector_all("#map [data-text]", "all => all.map(t => Number(t.textContent))")
    assert sum(sums) == pytest.approx(200, abs=4)  # percent, of two rows


def test_space_plays_and_stops(report, open_page):
    page = open_page(report)
    page.focus("#step")
    page.keyboard.press("Space")
    assert "Pause" in page.inner_text("#play")
    page.locator("#count", has_text="step 2 of").wait_for()
    page.keyboard.press("Space")
    assert "Play" in page.inner_text("#play")


def test_who_wants_little_motion_gets_a_step_a_press(report, open_page):
    page = open_page(report, reduced_motion="reduce")
    assert page.inner_text("#play") == "Next step"
    page.click("#play")
    assert page.inner_text("#count").startswith("step 2 of")


def test_every_model_head_and_example_can_be_chosen(report, open_page):
    page = open_page(report)
    mean = colours(page)
    page.select_option("#head", "1")
    assert colours(page) != mean
    page.select_option("#model", "hybrid")
    assert page.locator("#map [data-cell]").count() == 2 * 2
    page.select_option("#model", "lstm")
    assert "LSTM has no attention" in page.inner_text("#no-attention")
    assert not page.locator("#map").is_visible()
    page.select_option("#example", "2")
    assert "LSTM answers" in page.inner_text("#asked")


def test_examples_are_chosen_by_who_is_wrong_and_by_key(report, open_page):
    page = open_page(report)
    everyone = page.locator("#marks button").count()
    assert everyone == 60
    page.select_option("#who", "wrong lstm")
    wrong = page.locator("#marks button").count()
    assert 0 < wrong <= everyone
    assert page.locator("#marks button i:nth-child(3):not(.no)").count() == 0  # the LSTM's
    page.focus("#marks button[aria-current=true]")
    page.keyboard.press("ArrowRight")
    assert "2 of" in page.inner_text("#where")
    assert page.locator("#told tr").count() == 3
    assert "in ascending order" in page.inner_text("#question")
    page.select_option("#who", "all")
    page.click("#marks button >> nth=1")
    page.click("#enter")
    assert page.input_value("#example") == "1"


def test_the_tab_key_goes_through_the_page_in_reading_order(report, open_page):
    page = open_page(report)
    seen = []
    for _ in range(24):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]"
        )
        seen.append(name)
        assert outline != "none", name
    stops = [name for name in seen if name]
    assert stops == ["theme", "who", "after", "enter", "question", "model", "example", "head", "play", "step"]


@pytest.mark.parametrize("width", [420, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_in_light_and_dark(report, open_page, overflow, width, scheme):
    page = open_page(report, width=width, color_scheme=scheme)
    assert overflow(page) <= 0
    assert page.get_attribute("html", "data-theme") == scheme
    page.click("#theme")
    assert page.get_attribute("html", "data-theme") != scheme
    page.select_option("#model", "hybrid")
    assert overflow(page) <= 0


def test_runs_stand_side_by_side(run, tmp_path, open_page, overflow, monkeypatch):
    monkeypatch.chdir(run.parent)
    (tmp_path / "other").symlink_to(run)
    out = tmp_path / "both.html"
    assert main(["report", "sorting", str(tmp_path / "other"), "--out", str(out)]) == 0
    page = open_page(out)
    left, right = (box.bounding_box() for box in page.locator("article.run").all())
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    page.select_option("#inside-run", "1")
    assert colours(page)
    assert overflow(page) <= 0


def test_tables_are_open_on_paper(report, open_page):
    page = open_page(report)
    folded = page.locator("details:has(table):not([open])")
    assert folded.count() > 0
    assert page.locator("details:has(pre)").count() == 2
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert folded.count() == 0
    assert page.locator("details:has(pre):not([open])").count() == 2  # pages of raw numbers
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert folded.count() > 0
