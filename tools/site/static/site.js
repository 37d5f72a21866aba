// Code and tables that are wider than the window scroll: with the keyboard, too.
"use strict";

function letScrollWithTheKeyboard() {
  for (const area of document.querySelectorAll("article pre, .table-wrapper, .output.text_html")) {
    if (area.scrollWidth > area.clientWidth) {
      area.tabIndex = 0;
    } else {
      area.removeAttribute("tabindex");
    }
  }
}

letScrollWithTheKeyboard();
addEventListener("resize", letScrollWithTheKeyboard);
// Folded code has no width before it is opened.
document.addEventListener("toggle", letScrollWithTheKeyboard, { capture: true });
