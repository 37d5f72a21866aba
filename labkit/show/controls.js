// What the pages of lab.guess and lab.explore share. Python puts this before the code of each.

function element(parent, tag, className, attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

// A slider over the numbers 0 to `last`. Each mark is a place on it, and the text below that place,
// which can be clicked. A screen reader reads `aria-valuetext`, which the caller sets.
function sliderWithMarks(parent, name, last, marks) {
  const box = element(parent, "div", "labkit-slider");
  const slider = element(box, "input", "", {
    type: "range", min: 0, max: last, step: 1, "aria-label": name,
  });
  const line = element(box, "div", "labkit-marks", { "aria-hidden": "true" });
  for (const [place, text] of marks) {
    const mark = element(line, "span", "", { style: `left: ${(100 * place) / last}%` });
    mark.textContent = text;
    mark.addEventListener("click", () => {
      if (slider.disabled) return;
      slider.value = place;
      slider.dispatchEvent(new Event("change"));
    });
  }
  return slider;
}

// Call `show` now, and whenever the values or the connection to the kernel change: a page that is
// opened again, and one whose kernel was restarted, show the last values without a kernel.
// Call `onEnter` with the event when Enter is pressed in a control.
function connect(model, el, show, onEnter = () => {}) {
  let isLive = true;

  function update() {
    // The class is set by ipywidgets, before or after this runs.
    if (el.classList.contains("jupyter-widgets-disconnected")) isLive = false;
    show(isLive);
  }

  // A restarted kernel does not know the widget, so that there is no way back to life.
  function lose() {
    isLive = false;
    show(isLive);
  }

  // This comes before the shortcuts of the notebook. Enter with Shift or Ctrl still runs the cell;
  // other keys belong to the control, as for the notebook they move to another cell or delete one.
  function onKey(event) {
    if (!el.contains(event.target)) return;
    if (event.key === "Enter") onEnter(event);
    const isShortcut = event.ctrlKey || event.altKey || event.metaKey;
    if (!isShortcut && !["Enter", "Escape", "Tab"].includes(event.key)) event.stopPropagation();
  }

  const watcher = new MutationObserver(update);
  watcher.observe(el, { attributeFilter: ["class"] });
  window.addEventListener("keydown", onKey, true);
  model.on("change", update);
  model.on("comm_live_update", lose);
  update();
  return () => {
    watcher.disconnect();
    window.removeEventListener("keydown", onKey, true);
  };
}
