"""A lesson in a real JupyterLab and browser: it runs, its slider answers to the keyboard, nothing goes outside."""

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

LESSON = "02_direct_call_loop"
READY = """lesson => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const session = panel?.sessionContext;
    return panel?.context?.path === lesson && session?.isReady && session.session?.kernel?.status === "idle";
}"""
# The command resolves when the last cell has finished, or at once after a cell that failed.
RUN_ALL = """() => Promise.race([
    window.jupyterapp.commands.execute("notebook:run-all-cells").then(() => true),
    new Promise((_, fail) => setTimeout(() => fail(new Error("the lesson did not end within 300 s")), 300000)),
])"""
CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells.filter(c => c.cell_type === 'code')"
ANSWERED = """before => {
    const src = document.querySelector("img.labkit-picture").src;
    const caption = document.querySelector(".labkit-caption").innerText.trim();
    return src !== before.src && caption !== before.caption && !caption.startsWith("measuring") && caption;
}"""


def text_of(source):
    return source if isinstance(source, str) else "".join(source)


def test_a_lesson_runs_and_its_slider_works_without_a_mouse(lab, browser):
    server = lab(LESSON)
    assert server.bound == {"127.0.0.1"}
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    errors, urls = [], []
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: urls.append(request.url))
    page.on("websocket", lambda socket: urls.append(socket.url))
    page.goto(server.address)
    # Not earlier: without a kernel "Run All" opens a dialog that asks for one, and waits for ever.
    page.wait_for_function(READY, arg=f"{LESSON}.ipynb", timeout=120_000)

    page.evaluate(RUN_ALL)
    cells = page.evaluate(CELLS)
    failed = [
        f"{text_of(cell['source'])}\n-> {output['ename']}: {output['evalue']}"
        for cell in cells
        for output in cell["outputs"]
        if output["output_type"] == "error"
    ]
    assert not failed, "\n\n".join(failed)
    unrun = [
        text_of(cell["source"])
        for cell in cells
        if text_of(cell["source"]).strip() and not cell["execution_count"]
    ]
    assert not unrun, f"never run: {unrun}"

    picture, caption = (
        page.locator("img.labkit-picture").first,
        page.locator(".labkit-caption").first,
    )
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
    assert (
        picture.evaluate("image => image.naturalWidth") > 100
    )  # it is a picture, and it was decoded

    if folder := os.environ.get("LABKIT_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{LESSON}.png")
    assert page.get_by_text("official Jupyter news").count() == 0
    strangers = {url for url in urls if urlsplit(url).scheme not in ("data", "blob")}
    strangers = {
        url for url in strangers if urlsplit(url).hostname not in ("127.0.0.1", "localhost")
    }
    assert not strangers
    assert not errors, "\n".join(errors)
    page.close()

    if os.name == "posix":  # Windows sends Ctrl-C to a whole console, this test included
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=30) == 0
        assert "Traceback" not in server.log.read_text(encoding="utf-8")
