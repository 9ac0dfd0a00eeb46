"use strict";
// What the pointer is at, in words. Text only ever becomes textContent.
const addresses = new Map(JSON.parse(document.getElementById("unit-addresses")?.textContent ?? "[]"));
const written = (value) => {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return String(value).replace("-", "−");
  const small = Math.abs(value) < 0.001 || Math.abs(value) >= 1e5;
  return (small ? value.toExponential(1) : String(Number(value.toPrecision(3)))).replaceAll("-", "−");
};
const tip = document.createElement("div");
tip.id = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
document.body.append(tip);
const tell = (text, x, y) => {
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 12) : y + 18}px`;
};
addEventListener("keydown", (event) => { if (event.key === "Escape") tell(""); });
addEventListener("scroll", () => tell(""), { passive: true });
for (const spot of document.querySelectorAll(".spot")) {
  const words = spot.title;
  spot.removeAttribute("title"); // the browser would show it as well
  if (spot.href) spot.setAttribute("aria-label", words);
  spot.addEventListener("pointermove", (event) => tell(words, event.clientX, event.clientY));
  spot.addEventListener("pointerleave", () => tell(""));
}
