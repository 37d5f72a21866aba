"""A learner at a notebook in JupyterLab: what the hands do, and what the eyes see."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1280, 1000
# Milliseconds: so long that no verdict depends on the speed of the machine.
MOST_TO_RUN = 300_000
MOST_TO_SHOW = 120_000
RANGE_HANDLE = 18  # pixels


class Seat:
    """One notebook in one tab of a browser."""

    def __init__(self, browser: Browser | BrowserContext, path: str):
        self.path = path
        self.page: Page = browser.new_page()
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        self.page.set_default_timeout(MOST_TO_SHOW)
        self.page.add_init_script(path=HERE / "seat.js")
        self.errors: list[str] = []
        self.urls: list[str] = []
        self._watch()

    def _watch(self) -> None:
        """Note what the console says and which addresses are asked for."""

        def note_console(message: Any) -> None:
            if message.type == "error":
                self.errors.append(message.text)

        self.page.on("console", note_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.urls.append(request.url))
        self.page.on("websocket", lambda socket: self.urls.append(socket.url))

    def open(self, address: str) -> None:
        """Go to an address, and wait until the notebook is there with a kernel."""
        self.page.goto(address)
        self.wait_until_ready()

    def reload(self) -> None:
        """Press the browser's reload button."""
        self.page.reload()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the notebook is in front and its kernel waits for work."""
        self.wait_for("path => seat.isReady(path)", self.path)

    def restart_kernel(self) -> None:
        """Restart the kernel, as the menu does after its question."""
        restart = "path => seat.panel(path).sessionContext.session.kernel.restart()"
        self.page.evaluate(restart, self.path)
        self.wait_until_ready()

    def end_kernels(self) -> None:
        """End all kernels of the server."""
        self.page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")

    def close(self) -> None:
        """Close the tab."""
        self.page.close()

    # ---- what the eyes see ----

    def ask(self, question: str, *more: Any) -> Any:
        """Call a function of seat.js with the path of the notebook."""
        return self.page.evaluate(f"args => seat.{question}(...args)", [self.path, *more])

    def wait_for(self, condition: str, argument: Any = None) -> None:
        """Wait until a condition holds in the page."""
        # Not at every frame, as it would be otherwise: that keeps a processor at work.
        self.page.wait_for_function(condition, arg=argument, timeout=MOST_TO_RUN, polling=100)

    def cells(self) -> list[dict[str, Any]]:
        """Return the cells, in order."""
        return self.ask("cells")

    def active(self) -> dict[str, Any]:
        """Return the active cell."""
        return self.ask("active")

    def find(self, id: str) -> dict[str, Any]:
        """Return a cell by its id."""
        cell = self.ask("find", id)
        assert cell is not None, f"there is no cell {id}"
        return cell

    @property
    def notebook(self) -> Locator:
        """The notebook as an element of the page."""
        id = self.page.evaluate("path => seat.panel(path).id", self.path)
        return self.page.locator(f'[id="{id}"]')

    def output(self, id: str) -> Locator:
        """Return the output area of a cell."""
        index = self.find(id)["index"]
        return self.notebook.locator(".jp-Cell").nth(index).locator(".jp-Cell-outputArea")

    def text(self, id: str) -> str:
        """Return the text in the output of a cell, as it is seen."""
        return self.output(id).inner_text()

    # ---- what the hands do ----

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def run(self, key: str = "Shift+Enter") -> str:
        """Run the active cell, and return its id; do not wait."""
        cell = self.active()
        if cell["type"] == "code":
            self.ask("watch", cell["id"])
        self.press(key)
        return cell["id"]

    def run_and_wait(self, key: str = "Shift+Enter") -> str:
        """Run the active cell, wait for it, and return its id."""
        id = self.run(key)
        self.wait()
        return id

    def wait(self, *, may_fail: bool = False) -> None:
        """Wait until all cells that were run have finished, and raise their errors."""
        self.wait_for("path => seat.isDone(path)", self.path)
        errors = self.page.evaluate("seat.unwatch()")
        assert may_fail or not errors, errors

    def go_to(self, id: str) -> None:
        """Go to a cell with the arrow keys."""
        self.press("Escape")
        target = self.find(id)["index"]
        while (here := self.active()["index"]) != target:
            self.press("ArrowDown" if here < target else "ArrowUp")

    def click_into(self, id: str) -> None:
        """Click into the text of a cell."""
        index = self.find(id)["index"]
        cell = self.notebook.locator(".jp-Cell").nth(index)
        cell.locator(".jp-InputArea-editor .cm-content").click()

    def click_on_next(self, id: str) -> None:
        """Click on the cell below another one."""
        index = self.find(id)["index"] + 1
        self.notebook.locator(".jp-Cell").nth(index).click(position={"x": 20, "y": 5})

    def write(self, source: str) -> None:
        """Replace the text of the cell that is being edited."""
        self.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)

    def new_cell(self, source: str, key: str = "b") -> str:
        """Put a cell below the active one (a: above), fill it, run it, wait, and return its id."""
        id = self.begin_new_cell(source, key)
        self.wait()
        return id

    def begin_new_cell(self, source: str, key: str = "b") -> str:
        """Do the same, but do not wait until the cell has finished."""
        self.press("Escape")
        before = self.active()["id"]
        self.press(key)
        self.wait_for("args => seat.active(args[0]).id !== args[1]", [self.path, before])
        self.press("Enter")
        self.write(source)
        return self.run()

    def delete(self, id: str) -> None:
        """Delete a cell."""
        self.go_to(id)
        self.press("d", "d")

    def tab_to(self, control: Locator) -> None:
        """Press Tab until a control has the focus, as somebody without a mouse does."""
        has_focus = "node => node === document.activeElement"
        for _ in range(20):
            if control.evaluate(has_focus):
                return
            self.press("Tab")
        raise AssertionError("twenty times Tab did not lead to the control")

    def drag(self, slider: Locator, share: float) -> None:
        """Drag the handle of a slider with the mouse to a place between 0 and 1."""
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box
        low, high, now = slider.evaluate("node => [node.min, node.max, node.value].map(Number)")
        y = box["y"] + box["height"] / 2

        def x(place: float) -> float:
            return box["x"] + RANGE_HANDLE / 2 + place * (box["width"] - RANGE_HANDLE)

        self.page.mouse.move(x((now - low) / (high - low)), y)
        self.page.mouse.down()
        self.page.mouse.move(x(share), y, steps=8)
        self.page.mouse.up()

    def stop(self, *, with_button: bool) -> None:
        """Stop the running cell."""
        if with_button:
            self.notebook.locator('[data-command="notebook:interrupt-kernel"]').first.click()
        else:
            self.press("Escape", "i", "i")

    def save(self) -> None:
        """Save the notebook, and wait until that is done."""
        self.press("ControlOrMeta+s")
        self.wait_for("path => seat.isSaved(path)", self.path)


def is_outside(url: str) -> bool:
    """Return whether a page with this address comes from another machine."""
    parts = urlsplit(url)
    is_local = parts.hostname in ("127.0.0.1", "localhost")
    return parts.scheme not in ("data", "blob", "file", "about") and not is_local


def numbers_in(text: str) -> list[float]:
    """Return the numbers in a text, without the commas between thousands."""
    found = re.findall(r"\d[\d,]*(?:\.\d+)?", text)
    return [float(number.replace(",", "")) for number in found]
