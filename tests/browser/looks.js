// What can be seen to be wrong with the outputs of a page: text that is cut, words that are broken,
// outputs that are too wide. Each function returns a list of sentences.
window.looks = {
  // A cell outside the window would have no layout.
  async settle() {
    if (!document.querySelector("#looks-style")) {
      const style = document.createElement("style");
      style.id = "looks-style";
      style.textContent = ".jp-Cell { content-visibility: visible !important; }";
      document.head.append(style);
    }
    for (let frame = 0; frame < 3; frame += 1) {
      await new Promise((done) => requestAnimationFrame(done));
    }
  },

  isSeen(element) {
    const box = element.getBoundingClientRect();
    return element.checkVisibility() && box.width > 1 && box.height > 1;
  },

  // The text nodes that are seen.
  texts(area) {
    const walker = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.data.trim() && looks.isSeen(node.parentElement)) found.push(node);
    }
    return found;
  },

  boxes(node, start, end) {
    const range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, end);
    return [...range.getClientRects()].filter((box) => box.width > 0);
  },

  // Text that a person does not see whole, because an element around it cuts or scrolls it.
  cut(area) {
    const found = [];
    for (const node of looks.texts(area)) {
      for (let around = node.parentElement; around; around = around.parentElement) {
        if (getComputedStyle(around).overflowX !== "visible") {
          const frame = around.getBoundingClientRect();
          const isOut = (box) => box.right > frame.right + 1 || box.left < frame.left - 1;
          // Spaces at the end of a line may hang out.
          if (looks.boxes(node, 0, node.data.length).some(isOut)) {
            const word = [...node.data.matchAll(/\S+/g)].find((word) =>
              looks.boxes(node, word.index, word.index + word[0].length).some(isOut));
            if (word) found.push(`cut: ${word[0]} in: ${node.data.trim().slice(0, 80)}`);
            if (word) break;
          }
        }
        if (around === area) break;
      }
    }
    for (const field of area.querySelectorAll("input:not([type=range]), select")) {
      if (looks.isSeen(field) && field.scrollWidth > field.clientWidth + 1) {
        found.push(`cut: the field with ${field.value}`);
      }
    }
    return found;
  },

  // Words and ids that go on in the next line. A very long name has to be broken somewhere.
  broken(area) {
    const found = [];
    for (const node of looks.texts(area)) {
      if (looks.boxes(node, 0, node.data.length).length < 2) continue;
      for (const word of node.data.matchAll(/[\p{L}\p{N}_]+(?:[-.,]\p{N}+)*/gu)) {
        if (word[0].length > 30) continue;
        const boxes = looks.boxes(node, word.index, word.index + word[0].length);
        const tops = boxes.map((box) => box.top);
        if (Math.max(...tops) - Math.min(...tops) > 5) found.push(`broken: ${word[0]}`);
      }
    }
    return found;
  },

  wide(area, right) {
    const found = [];
    for (const element of area.querySelectorAll("*")) {
      const box = element.getBoundingClientRect();
      if (looks.isSeen(element) && box.right > right + 1) {
        found.push(`too wide: ${element.outerHTML.slice(0, 80)}`);
        break;
      }
    }
    return found;
  },

  // Text that means something to Python or to the browser alone.
  silent(area) {
    const meaningless = /\bobject at 0x[0-9a-f]+|\[object Object\]|<Figure size|^\s*None\s*$/;
    const said = area.innerText.match(meaningless);
    return said ? [`says nothing: ${said[0].trim()}`] : [];
  },

  // `ours`: a pattern for the code whose output is labkit's, whatever form that has.
  lesson(path, ours) {
    const panel = seat.panel(path);
    const view = panel.node.querySelector(".jp-WindowedPanel-outer") ?? panel.content.node;
    const right = view.getBoundingClientRect().left + view.clientWidth;
    const found = [];
    if (view.scrollWidth > view.clientWidth + 1) found.push("the notebook scrolls sideways");
    for (const cell of panel.content.widgets) {
      const code = cell.model.sharedModel.getSource();
      const isOurs = new RegExp(ours).test(code);
      for (const line of cell.node.querySelectorAll(".jp-Placeholder")) {
        found.push(...looks.wide(line, right).map((problem) => `${code.slice(0, 60)} -> ${problem}`));
      }
      for (const text of cell.node.querySelectorAll(".jp-MarkdownOutput")) {
        const problems = looks.wide(text, right).concat(looks.cut(text));
        found.push(...problems.map((problem) => `${code.slice(0, 60)} -> ${problem}`));
      }
      for (const area of cell.node.querySelectorAll(".jp-OutputArea-output")) {
        const isPlain = area.matches(".jp-RenderedText");
        const problems = looks.wide(area, right).concat(looks.cut(area), looks.silent(area));
        if (isOurs || !isPlain) problems.push(...looks.broken(area));
        found.push(...problems.map((problem) => `${code.slice(0, 60)} -> ${problem}`));
      }
    }
    return found;
  },
};
