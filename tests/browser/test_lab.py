"""A lesson in a real JupyterLab and browser: it runs, its slider works without a mouse, offline."""

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

LESSON = "02_direct_call_loop"
READY = """lesson => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const session = panel?.sessionContext;
    const isIdle = session?.isReady && session.session?.kernel?.status === "idle";
    return panel?.context?.path === lesson && isIdle;
}"""
# The command resolves when the last cell has finished, or at once after a cell that failed.
RUN_ALL = """() => {
    const tooLong = new Error("the lesson did not end within 300 s");
    const timer = new Promise((_, fail) => setTimeout(() => fail(tooLong), 300000));
    const run = window.jupyterapp.commands.execute("notebook:run-all-cells").then(() => true);
    return Promise.race([run, timer]);
}"""
CELLS = """() => {
    const notebook = window.jupyterapp.shell.currentWidget.content.model.toJSON();
    return notebook.cells.filter(cell => cell.cell_type === "code");
}"""
ANSWERED = """before => {
    const src = document.querySelector("img.labkit-picture").src;
    const caption = document.querySelector(".labkit-caption").innerText.trim();
    const isMeasured = caption && !caption.startsWith("measuring");
    return src !== before.src && caption !== before.caption && isMeasured;
}"""


def text_of(source):
    return source if isinstance(source, str) else "".join(source)


def errors_of(cells):
    """Return the source and the error of each cell that failed."""
    found = []
    for cell in cells:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                error = f"{output['ename']}: {output['evalue']}"
                found.append(f"{text_of(cell['source'])}\n-> {error}")
    return found


def never_run(cells):
    """Return the source of each cell that holds code and has no execution count."""
    sources = [text_of(cell["source"]) for cell in cells if not cell["execution_count"]]
    return [source for source in sources if source.strip()]


def is_outside(url):
    """Return whether a page with this address comes from another machine."""
    parts = urlsplit(url)
    is_local = parts.hostname in ("127.0.0.1", "localhost")
    return parts.scheme not in ("data", "blob") and not is_local


def test_addresses_of_other_machines_are_noticed():
    assert is_outside("https://example.org/a.js")
    assert not is_outside("http://127.0.0.1:8888/lab")
    assert not is_outside("data:image/png;base64,AA")


def test_a_lesson_runs_and_its_slider_works_without_a_mouse(lab, browser):
    server = lab(LESSON)
    assert server.bound == {"127.0.0.1"}
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    errors = []
    urls = []

    def note_console(message):
        if message.type == "error":
            errors.append(message.text)

    page.on("console", note_console)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: urls.append(request.url))
    page.on("websocket", lambda socket: urls.append(socket.url))
    page.goto(server.address)
    # Not earlier: without a kernel "Run All" opens a dialog that asks for one, and never ends.
    page.wait_for_function(READY, arg=f"{LESSON}.ipynb", timeout=120_000)

    page.evaluate(RUN_ALL)
    cells = page.evaluate(CELLS)
    assert len(cells) > 20
    assert errors_of(cells) == []
    assert never_run(cells) == []

    picture = page.locator("img.labkit-picture").first
    caption = page.locator(".labkit-caption").first
    picture.scroll_into_view_if_needed()
    before = {"src": picture.get_attribute("src"), "caption": caption.inner_text().strip()}
    assert before["src"]
    assert before["caption"]
    handle = page.locator(".widget-vbox:has(img.labkit-picture) .noUi-handle").first
    position = handle.get_attribute("aria-valuenow")
    handle.focus()
    handle.press("ArrowRight")
    page.wait_for_function(ANSWERED, arg=before, timeout=60_000)
    assert handle.get_attribute("aria-valuenow") != position
    assert picture.evaluate("image => image.naturalWidth") > 100  # it was decoded

    if folder := os.environ.get("LABKIT_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{LESSON}.png")
    assert page.get_by_text("official Jupyter news").count() == 0
    assert urls
    assert [url for url in urls if is_outside(url)] == []
    assert errors == []
    page.close()

    if os.name == "posix":  # Windows sends Ctrl-C to a whole console, this test included
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=30) == 0
        assert "Traceback" not in server.log.read_text(encoding="utf-8")
