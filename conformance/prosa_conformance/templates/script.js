// SPDX-License-Identifier: MIT
// The page is whole without this: it adds a filter, buttons that copy, and unfolds the octets at fault for print.
"use strict";
const all = (selector) => [...document.querySelectorAll(selector)];

const filter = document.querySelector(".filter");
const words = document.getElementById("words");
const only = document.getElementById("only");
const found = document.getElementById("found");
const findable = all("[data-find]");
const failing = new Set(["broken", "known"]);

function narrow() {
  const wanted = words.value.trim().toLowerCase();
  let shown = 0;
  for (const element of findable) {
    const fits = element.dataset.find.toLowerCase().includes(wanted) && (!only.checked || failing.has(element.dataset.state));
    element.hidden = !fits;
    shown += fits;
  }
  for (const row of all(".matrix tbody tr")) row.hidden = !row.querySelector("[data-find]:not([hidden])");
  for (const table of all(".matrix")) table.hidden = !table.querySelector("tbody tr:not([hidden])");
  found.textContent = shown ? "" : found.dataset.none;
}
filter.hidden = false;
filter.addEventListener("submit", (event) => event.preventDefault());
filter.addEventListener("input", narrow);
if (words.value || only.checked) narrow(); // a page that is loaded again keeps them

for (const button of all(".copy")) {
  button.hidden = false;
  const before = button.textContent;
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = button.dataset.done;
    } catch { // a page from a file may lack the clipboard: select it, the person copies
      getSelection().selectAllChildren(code);
    }
    button.addEventListener("blur", () => { button.textContent = before; }, { once: true });
  });
}

let closed = [];
addEventListener("beforeprint", () => {
  closed = all(".paper:not([open])");
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => { for (const details of closed) details.open = false; });
