"""The site that `make site` builds: narrow and wide, light and dark, offline; its search finds."""

from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "build" / "site"
PAGES = ("index", "your_data", "chapter/03-architecture", "results/nth_farthest", "api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "search.html").exists(), reason="make site builds the site"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_window_in_the_scheme_asked_for(open_page, overflow, name, width, scheme):
    page = open_page(SITE / "docs" / f"{name}.html", width, color_scheme=scheme)
    assert page.locator("h1").first.is_visible()
    assert overflow(page) <= 0
    ground, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (brightness(ground) < brightness(ink)) == (scheme == "dark")
    broken = page.evaluate(
        "[...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.src)"
    )
    assert broken == []


def test_the_search_finds_without_a_network(open_page, wrong):
    page = open_page(SITE / "docs" / "index.html")
    page.get_by_placeholder("Search").first.fill("forget bias")
    page.keyboard.press("Enter")
    page.locator("#search-results li").nth(9).wait_for()
    assert page.get_by_role("link", name="Gates and the forget bias").first.is_visible()
    page.wait_for_load_state("networkidle")
    # From a disk no page may read another: the list is there, without the lines in which the words stand.
    wrong[:] = [told for told in wrong if "fetch" not in told and "ERR_FAILED" not in told]


def brightness(colour: str) -> float:
    """Return the sum of a colour's parts, from rgb(r, g, b)."""
    return sum(map(float, colour.partition("(")[2].rstrip(")").split(",")[:3]))
