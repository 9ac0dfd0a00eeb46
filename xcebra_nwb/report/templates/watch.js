"use strict";
// Ask for the changing part of the page until the run has ended, or nothing answers any more.
const shown = document.getElementById("progress");

async function look() {
  try {
    const answer = await fetch("progress.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const told = await answer.json();
    const at = document.activeElement && shown.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const left = shown.querySelector(".scroll")?.scrollLeft ?? 0;
    shown.innerHTML = told.part; // made by our own template, which escapes every name
    shown.querySelector(".scroll").scrollLeft = left;
    if (at) shown.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus();
    document.title = document.title.replace(/^[^·]*/, `${told.title} `);
    if (!told.over) setTimeout(look, 1000 * shown.dataset.seconds);
  } catch {
    document.getElementById("gone").hidden = false;
  }
}

if (!shown.dataset.over) setTimeout(look, 1000 * shown.dataset.seconds);
