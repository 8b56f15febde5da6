"""The fixtures see what a page must not do."""

import pytest


@pytest.fixture
def page_of(tmp_path, open_page):
    def make(body, **size):
        file = tmp_path / "page.html"
        file.write_text(f"<!doctype html><html lang='en'><title>t</title><body>{body}</body></html>")
        return open_page(file, **size)

    return make


def test_a_page_runs(page_of):
    assert page_of("<p id='p'>1</p><script>p.textContent = 1 + 1</script>").inner_text("#p") == "2"


def test_overflow_is_seen(page_of, overflow):
    assert overflow(page_of("<div style='width: 600px; height: 1px'></div>", width=420)) > 100
    assert overflow(page_of("<p>narrow</p>", width=420)) <= 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<script>console.error('lost')</script>", "lost"),
        ("<script>missing()</script>", "missing is not defined"),
        ("<img src='http://localhost:9/x.png'>", "asks http://localhost:9/x.png"),
    ],
)
def test_errors_and_requests_are_noted(page_of, wrong, body, told):
    page_of(body)
    assert any(told in one for one in wrong)
    wrong.clear()
