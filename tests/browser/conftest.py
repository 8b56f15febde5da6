"""Pages in Chromium, and a list of what none of them may do: errors in the console, requests to elsewhere."""

import importlib.util
import shutil
from pathlib import Path

import pytest

LOCAL = ("file:", "data:", "blob:", "about:")


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window; a skip that says what to install where it is absent."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("tests in a browser need playwright: pip install playwright")
    if program is None:
        pytest.skip("tests in a browser need Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def wrong():
    """What pages did that they must not: errors, requests. Empty at the end of each test."""
    found = []
    yield found
    assert not found


@pytest.fixture
def open_page(browser, wrong):
    """Return a function that opens a file in a window of a size, and notes in `wrong` what the page does."""
    contexts = []

    def open_(path, width=1280, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(LOCAL) else wrong.append(f"asks {request.url}"),
        )
        page.goto(Path(path).absolute().as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def overflow():
    """Return a function that says by how many pixels a page is wider than its window."""
    return lambda page: page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
