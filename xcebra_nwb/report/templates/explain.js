// A word of the glossary says its meaning at the pointer, when it has the focus, and at a tap. Without a script it is a link.
const meaning = (link) => {
  const entry = document.getElementById(link.getAttribute("href").slice(1));
  return entry ? `${entry.textContent}: ${entry.nextElementSibling.textContent}` : "";
};
const explain = (link) => {
  const box = link.getBoundingClientRect();
  tell(meaning(link), box.left - 14, box.bottom - 12);
};
const termAt = (event) => (event.target instanceof Element ? event.target.closest("a.term") : null);
addEventListener("pointerover", (event) => { if (termAt(event)) explain(termAt(event)); });
addEventListener("pointerout", (event) => { if (termAt(event)) tell(""); });
addEventListener("focusin", (event) => { if (termAt(event)) explain(termAt(event)); });
addEventListener("focusout", (event) => { if (termAt(event)) tell(""); });
addEventListener("click", (event) => {
  if (!termAt(event)) return;
  event.preventDefault();
  explain(termAt(event));
});
