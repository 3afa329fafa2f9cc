"use strict";

// Opens what a link leads to, also where it is folded or not among the tests that are shown.
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const test = target.closest(".test");
  if (test && !test.checkVisibility()) {
    document.getElementById("filter").reset();
    search();
  }
  for (let it = target; it; it = it.parentElement) {
    if (it.tagName === "DETAILS") it.open = true;
  }
  const own = target.querySelector(":scope > details");
  if (own) own.open = true;
  target.scrollIntoView();
}

addEventListener("hashchange", reveal);
addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  // The hash does not change when the same link is followed once more.
  if (link && link.getAttribute("href") === location.hash) reveal();
});

// Shows the tests whose own words or whose steps' titles have the text in them.
const tests = Array.from(document.querySelectorAll(".test"));
const field = document.getElementById("search");
const none = document.getElementById("none");
let texts = null;

function search() {
  const wanted = field.value.trim().toLowerCase();
  if (wanted && !texts) {
    const text = (test) => Array.from(test.querySelectorAll(":scope > summary, .line > .title"), (it) => it.textContent);
    texts = tests.map((test) => text(test).join(" ").toLowerCase());
  }
  tests.forEach((test, at) => { test.hidden = Boolean(wanted) && !texts[at].includes(wanted); });
  none.hidden = tests.some((test) => test.checkVisibility());
}

if (field) {
  field.hidden = false;
  const form = document.getElementById("filter");
  form.addEventListener("input", search);
  form.addEventListener("submit", (event) => event.preventDefault());
}

for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

reveal();
