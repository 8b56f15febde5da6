"""The playground in Chromium, as a person uses it: mouse, keyboard, narrow and wide windows."""

import pytest

from helpers.playgrounds import SWAPS, random_model
from relational_rnn.analysis.playground.page import write_page
from relational_rnn.analysis.playground.scene import scene_of
from relational_rnn.tasks.nth_farthest import NthFarthest

STATE = "scenes[0].question"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("playground") / "page.html"
    write_page(path, [scene_of(random_model(), "random", "relational-rnn train", examples=400)])
    return path


def centre(page, label):
    box = page.locator(f".point[data-label='{label}'] .dot").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_drag_moves_a_point_and_the_answers_follow(page_file, open_page):
    page = open_page(page_file)
    page.evaluate(
        "scenes[0].change({points: [[0, 0], [.2, 0], [.4, 0], [.6, 0], [.8, 0]], reference: 0, n: 0})"
    )
    assert page.locator(".verdict").inner_text().startswith("True answer E")
    before = page.locator(".shares").inner_text()
    page.locator(".plane").scroll_into_view_if_needed()
    x, y = centre(page, 1)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y - 60, steps=3)
    page.mouse.move(x + 20, y - 4000, steps=3)
    page.mouse.up()
    assert page.evaluate(f"{STATE}.points[1][1]") == 1, "no farther than the edge"
    assert page.locator(".verdict").inner_text().startswith("True answer B")
    assert page.locator(".shares").inner_text() != before
    assert page.evaluate(f"{STATE}.reference") == 0, "a drag is no press"


def test_a_press_makes_a_point_the_reference(page_file, open_page):
    page = open_page(page_file)
    page.mouse.click(*centre(page, 3))
    assert page.evaluate(f"{STATE}.reference") == 3
    assert page.get_by_label("The reference", exact=True).input_value() == "3"
    page.get_by_label("Which rank is asked for").select_option("4")
    assert page.locator(".verdict").inner_text().startswith("True answer D"), "the reference itself"


def test_the_keyboard_moves_points_and_steps(page_file, open_page):
    page = open_page(page_file, reduced_motion="reduce")
    page.locator(".point[data-label='2']").focus()
    before = page.evaluate(f"{STATE}.points[2]")
    page.evaluate("scenes[0].movePoint(2, [0, 0])")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    assert page.evaluate(f"{STATE}.points[2]") == pytest.approx([0.05, 0.2])
    assert before != [0, 0]
    page.keyboard.press("Enter")
    assert page.evaluate(f"{STATE}.reference") == 2
    assert page.locator(".verdict").get_attribute("aria-live") == "polite"
    page.get_by_label("Step", exact=True).focus()
    page.keyboard.press("Home")
    assert page.locator(".told").inner_text().startswith("Step 1 of 5")
    assert page.locator(".point.coming").count() == 4
    page.get_by_role("button", name="next").press("Enter")
    assert page.locator(".told").inner_text().startswith("Step 2 of 5")
    page.locator(".order button").nth(3).press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "step", "focus stays"


def test_play_goes_to_the_last_step(page_file, open_page):
    page = open_page(page_file)
    page.get_by_role("button", name="play").click()
    assert page.locator(".told").inner_text().startswith("Step 1 of 5")
    page.get_by_text("Step 5 of 5").wait_for()
    assert "play" in page.locator(".play").inner_text()


def test_every_operation_opens_with_formula_shape_and_numbers(page_file, open_page):
    page = open_page(page_file)
    operations = page.locator("[data-operation]")
    assert operations.count() == 9
    for number in range(9):
        operations.nth(number).press("Enter")
        assert operations.nth(number).get_attribute("aria-expanded") == "true"
        panel = page.locator(".panel")
        assert panel.locator(".formula").inner_text()
        assert panel.locator(".shape").inner_text().startswith("shape: ")
        assert panel.locator(".strip, table").count()
    operations.nth(3).click()
    first = page.locator(".panel .worked").first
    page.get_by_role("button", name="slot 3").click()
    assert first.inner_text().startswith("slot 3")
    operations.nth(3).click()
    assert page.locator(".panel").is_hidden()


def test_the_tour_has_seven_steps_and_gives_the_focus_back(page_file, open_page):
    page = open_page(page_file, width=420, reduced_motion="reduce")
    page.get_by_role("button", name="take the tour").press("Enter")
    titles = set()
    for step in range(1, 8):
        title = page.locator("#tour-title")
        assert title.inner_text().startswith(f"{step} of 7")
        assert page.locator(".lit").count() == 1
        titles.add(title.inner_text())
        page.locator(".tour").get_by_role("button", name="done" if step == 7 else "next").press("Enter")
    assert len(titles) == 7
    assert page.locator(".tour").is_hidden()
    assert page.evaluate("document.activeElement.textContent").startswith("take the tour")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.locator(".tour").is_hidden()


@pytest.fixture
def swaps(tmp_path, open_page):
    """Return a function that opens the scene of swaps, after the swaps of places 1 and 2, then 2 and 3."""

    def open_swaps(**size):
        write_page(tmp_path / "swaps.html", [scene_of(random_model(task=SWAPS), "random", examples=20)])
        page = open_page(tmp_path / "swaps.html", **size)
        page.evaluate("""scenes[0].ask({order: [[0, 1], [1, 2]].map(([a, b]) =>
            scenes[0].data.swaps.findIndex((swap) => swap[a] === b))})""")
        return page

    return open_swaps


def row_of(page):
    return "".join(page.locator(".place .chip").all_text_contents())


def test_swaps_are_added_by_button_key_and_drag(swaps):
    page = swaps()
    assert row_of(page) == "BCADE"
    page.get_by_role("button", name="Swap places 4 and 5").click()
    assert row_of(page) == "BCAED"
    page.locator(".place").nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert row_of(page) == "CBAED"
    assert page.evaluate("document.activeElement.dataset.place") == "1", "focus goes along"
    boxes = [page.locator(".place").nth(place).bounding_box() for place in (2, 3)]
    (x, y), (to, _) = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to, y, steps=3)
    page.mouse.up()
    assert row_of(page) == "CBEAD"
    assert page.locator(".told").inner_text().startswith("Step 5 of 5: places 3 and 4 are swapped")
    page.get_by_role("button", name="undo").click()
    assert row_of(page) == "CBAED"
    page.get_by_label("Step", exact=True).focus()
    page.keyboard.press("Home")
    assert row_of(page) == "BACDE"
    page.get_by_role("button", name="Swap places 1 and 2").click()
    assert row_of(page) == "ABCDE", "what came after an earlier step is replaced"
    assert page.locator(".orders tr").count() == 3


def test_the_scene_of_swaps_has_operations_a_tour_and_a_quiz(swaps, overflow):
    page = swaps(width=420, reduced_motion="reduce")
    for key in page.evaluate("scenes[0].inside.operations.list.map(({key}) => key)"):
        page.evaluate(f"scenes[0].inside.operations.open = '{key}'; scenes[0].draw()")
        assert page.locator(".panel").locator(".strip, table").count(), key
        assert overflow(page) <= 0, key
    page.get_by_role("button", name="take the tour").press("Enter")
    for step in range(1, 8):
        assert page.locator("#tour-title").inner_text().startswith(f"{step} of 7")
        assert page.locator(".lit").count() == 1
        page.locator(".tour .main").press("Enter")
    assert page.locator(".quiz li").count() >= 3
    page.get_by_role("button", name="try 100").click()
    assert "of 100 last orders right" in page.locator(".tried").inner_text()


@pytest.fixture
def quiz(tmp_path, open_page):
    """Return a function from a model and its score on close calls to the page's questions."""

    def open_quiz(model, closest):
        scene = scene_of(model, "random", examples=400)
        scene["score"] |= {"closest": closest, "others": 0.9}
        write_page(tmp_path / "page.html", [scene])
        page = open_page(tmp_path / "page.html")
        return page, page.locator(".quiz li")

    return open_quiz


def test_quiz_questions_are_answered_once(quiz):
    page, questions = quiz(random_model(), closest=0.6)
    assert questions.count() == 5
    assert page.get_by_role("button", name="quiz: five questions").is_visible()
    questions.nth(0).get_by_role("button").nth(0).click()
    assert questions.nth(0).locator(".why").inner_text().startswith("No.")
    questions.nth(0).get_by_role("button").nth(1).press("Enter")
    assert page.locator(".total").inner_text() == "0 of 1 right, 4 to go."
    for number, right in ((1, 2), (2, 1), (3, 0), (4, 1)):
        questions.nth(number).get_by_role("button").nth(right).click()
    assert page.locator(".total").inner_text() == "4 of 5 right."


@pytest.mark.parametrize(
    ("options", "closest", "left"),
    [
        ({}, 0.9, 4),  # close calls are no harder for it
        ({"mem_slots": 1}, 0.6, 4),
        ({"input_fusion": "tile"}, 0.6, 3),
        ({"use_attention": False}, 0.9, 2),
    ],
)
def test_the_quiz_asks_nothing_that_this_model_answers_otherwise(quiz, options, closest, left):
    assert quiz(random_model(**options), closest)[1].count() == left


def test_random_layouts_and_the_wrong_ones(page_file, open_page):
    page = open_page(page_file)
    page.get_by_role("button", name="try 100").click()
    told = page.locator(".tried").inner_text()
    right = int(told.split()[0])
    assert right == 100 - page.evaluate("scenes[0].wrong.length")
    page.get_by_role("button", name="show one").click()
    assert "wrong" in page.locator(".verdict").inner_text()
    page.get_by_role("button", name="new points").click()


@pytest.mark.parametrize("width", [420, 1280, 1920])
def test_nothing_is_wider_than_the_window(page_file, open_page, overflow, width):
    page = open_page(page_file, width=width)
    assert overflow(page) <= 0
    for key in page.evaluate("scenes[0].inside.operations.list.map(({key}) => key)"):
        page.evaluate(f"scenes[0].inside.operations.open = '{key}'; scenes[0].draw()")
        assert overflow(page) <= 0, key


@pytest.mark.parametrize(("objects", "slots"), [(2, 1), (12, 12)])
def test_the_smallest_and_the_largest_fit(open_page, overflow, tmp_path, objects, slots):
    model = random_model(task=NthFarthest(objects=objects, dimensions=2), mem_slots=slots)
    write_page(tmp_path / "page.html", [scene_of(model, "random", examples=400)])
    page = open_page(tmp_path / "page.html", width=420)
    page.get_by_role("button", name="attention").click()
    assert overflow(page) <= 0
    assert page.locator(".point").count() == page.locator(".order li").count() == objects


def test_the_tab_key_goes_through_the_page_in_reading_order(page_file, open_page):
    page = open_page(page_file)
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """(({textContent: text, ariaLabel, dataset}) =>
                ariaLabel && dataset.label === undefined ? ariaLabel : text)(document.activeElement)"""
            )
        )
    assert seen[0].startswith("take the tour")
    assert seen[2:4] == ["Which rank is asked for", "The reference"]
    assert seen[4:9] == ["A", "B", "C", "D", "E"]
    assert seen[9] == "new points"


def test_several_scenes_are_tabs_and_one_is_none(page_file, open_page, tmp_path):
    assert open_page(page_file).get_by_role("tab").count() == 0
    scene = scene_of(random_model(), "one", examples=100)
    write_page(tmp_path / "two.html", [scene, {**scene, "title": "Another"}])
    page = open_page(tmp_path / "two.html")
    assert page.get_by_role("tab").count() == 2
    page.get_by_role("tab").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab").nth(1).get_attribute("aria-selected") == "true"
    assert page.locator("#scene-0").is_hidden()
    assert page.locator("#scene-1").is_visible()
