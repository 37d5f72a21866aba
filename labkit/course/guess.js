// The page of lab.guess: a slider and an entry field that show one number.
//
// Python makes the texts: `numbers` are the stops of the slider, and `number` is the guess, empty
// before it is made. This page sets `number`. Python replaces what was typed by the number that it
// means, or else by the number before, and says in `problem` what was wrong.

function render({ model, el }) {
  const question = model.get("question");
  const numbers = model.get("numbers");

  el.classList.add("labkit-widget");
  const root = element(el, "div", "labkit-controls labkit-guess");
  element(root, "div", "labkit-question").textContent = question;
  const row = element(root, "div", "labkit-row");
  const slider = sliderWithMarks(row, question, numbers.length - 1, model.get("marks"));
  const label = element(row, "label", "labkit-entry");
  label.append("your guess");
  const field = element(label, "input", "", {
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    "aria-label": `your guess: ${question}`,
  });
  const status = element(root, "div", "labkit-line", { role: "status" });
  const strong = document.createElement("strong");

  function showNumber(number) {
    field.value = number;
    slider.setAttribute("aria-valuetext", number || "no guess yet");
  }

  // A sign, a word, and more words.
  function words(isLive, isMade) {
    const ends = model.get("ends");
    if (!isLive && isMade) return ["✓", "Your guess.", "Run the cell to change it."];
    if (!isLive) return ["○", "No guess was made.", "Run the cell to make one."];
    if (model.get("problem")) return ["✗", "Not taken:", model.get("problem")];
    if (isMade) return ["✓", "Noted.", "You can still change your guess."];
    return ["○", "No guess yet.", `Move the slider, or type a number ${ends} and press Enter.`];
  }

  function show(isLive) {
    const isMade = model.get("number") !== "";
    slider.value = model.get("position");
    showNumber(model.get("number"));
    slider.disabled = !isLive;
    field.disabled = !isLive;
    root.classList.toggle("labkit-open", !isMade);
    const [sign, word, more] = words(isLive, isMade);
    status.replaceChildren(`${sign} `, strong, ` ${more}`);
    strong.textContent = word;
  }

  function guess(number) {
    model.set("number", number);
    model.set("problem", "");
    model.save_changes();
  }

  function guessFromSlider() {
    model.set("position", slider.valueAsNumber);
    guess(numbers[slider.valueAsNumber]);
  }

  function guessFromField() {
    const typed = field.value.trim();
    if (typed) guess(typed);
    else showNumber(model.get("number"));
  }

  function enter(event) {
    if (event.target === field) guessFromField(); // also with Shift, which runs the cell
    if (event.target === slider && !event.shiftKey && !event.ctrlKey) guessFromSlider();
  }

  slider.addEventListener("input", () => showNumber(numbers[slider.valueAsNumber]));
  slider.addEventListener("change", guessFromSlider);
  slider.addEventListener("click", guessFromSlider); // also where the handle already is
  field.addEventListener("change", guessFromField);
  return connect(model, el, show, enter);
}

export default { render };
