// The page of lab.explore: a slider for each setting with numbers, a list for each with words, and
// the figure that Python draws for them.

function control(root, setting) {
  const row = element(root, "div", "labkit-row");
  element(row, "span", "labkit-name", { "aria-hidden": "true" }).textContent = setting.name;
  if (setting.is_ordered) {
    const marks = Array.from(setting.texts.entries());
    return sliderWithMarks(row, setting.name, setting.texts.length - 1, marks);
  }
  const list = element(row, "select", "", { "aria-label": setting.name });
  for (const [place, text] of setting.texts.entries()) {
    element(list, "option", "", { value: place }).textContent = text;
  }
  return list;
}

function showChoice(input, texts, place) {
  input.value = place;
  if (input.type !== "range") return;
  input.setAttribute("aria-valuetext", texts[place]);
  const marks = input.parentElement.querySelectorAll(".labkit-marks span");
  marks.forEach((mark, i) => mark.classList.toggle("labkit-chosen", i === place));
}

function render({ model, el }) {
  const settings = model.get("settings");

  el.classList.add("labkit-widget");
  const root = element(el, "div", "labkit-controls labkit-explore");
  const inputs = settings.map((setting) => control(root, setting));
  const line = element(root, "div", "labkit-line"); // keeps its place while there is no message
  const status = element(line, "div", "", { role: "status" });
  const figure = element(root, "div", "labkit-view");

  function choose() {
    model.set("chosen", inputs.map((input) => Number(input.value)));
    model.save_changes();
  }

  inputs.forEach((input, i) => {
    input.addEventListener("input", () => {
      showChoice(input, settings[i].texts, Number(input.value));
    });
    input.addEventListener("change", choose);
  });

  function show(isLive) {
    inputs.forEach((input, i) => {
      showChoice(input, settings[i].texts, model.get("chosen")[i]);
      input.disabled = !isLive;
    });
    const state = isLive ? model.get("state") : "over";
    status.textContent = isLive ? model.get("message") : "Run the cell to explore further.";
    // The message of a figure is its caption, which is on the page already.
    status.className = state === "shown" ? "labkit-unseen" : "";
    root.classList.toggle("labkit-busy", state === "measuring");
    if (figure.labkitSource !== model.get("figure")) {
      figure.labkitSource = model.get("figure");
      figure.innerHTML = figure.labkitSource;
    }
  }

  return connect(model, el, show);
}

export default { render };
