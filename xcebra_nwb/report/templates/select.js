// Units that are chosen in a table, a matrix, a scatter or a bar are marked in all of them, and tables can show them alone.
const chosen = new Set(), followers = [];
let onlyChosen = false;
const onChosen = (action) => { followers.push(action); };
const MOST_NAMED = 12;
const chosenBar = document.createElement("div");
chosenBar.id = "chosen";
chosenBar.setAttribute("role", "region");
chosenBar.setAttribute("aria-label", "chosen units");
chosenBar.hidden = true;
const chosenWords = document.createElement("span"), chosenOnly = button("show only these", "show only the chosen units in tables", () => {
  onlyChosen = !onlyChosen;
  tellChosen();
});
chosenWords.setAttribute("aria-live", "polite");
chosenBar.append(
  chosenWords, chosenOnly,
  button("copy names", "copy the names of the chosen units", (event) => copy([...chosen].join("\n"), event.currentTarget)),
  button("clear", "choose no unit", () => choose([])),
);
document.body.append(chosenBar);
const tellChosen = () => {
  const names = [...chosen].slice(0, MOST_NAMED).join(", "), more = chosen.size > MOST_NAMED ? " and others" : "";
  chosenBar.hidden = !chosen.size;
  chosenWords.textContent = `${written(chosen.size)} ${chosen.size === 1 ? "unit" : "units"} chosen: ${names}${more}`;
  chosenOnly.textContent = onlyChosen ? "show all units" : "show only these";
  for (const follow of followers) follow();
};
const choose = (names, how = "only") => {
  if (how === "only") chosen.clear();
  for (const name of names) {
    if (how === "toggle" && chosen.has(name)) chosen.delete(name);
    else chosen.add(name);
  }
  if (!chosen.size) onlyChosen = false;
  tellChosen();
};
const chooser = (name) => { // a box that chooses a unit
  const box = document.createElement("input");
  box.type = "checkbox";
  box.className = "choose";
  box.checked = chosen.has(name);
  box.setAttribute("aria-label", `choose unit ${name}`);
  box.addEventListener("change", () => choose([name], "toggle"));
  return box;
};
const unitAtAddress = new Map([...addresses].map(([name, address]) => [address, name]));
const spotsOfUnits = [...document.querySelectorAll("a.spot")].map((spot) => [spot, unitAtAddress.get(spot.hash.slice(1))]);
onChosen(() => { for (const [spot, name] of spotsOfUnits) spot.classList.toggle("chosen", chosen.has(name)); });
onChosen(() => {
  for (const card of document.querySelectorAll(".unit")) {
    card.classList.toggle("chosen", chosen.has(card.dataset.unit));
    const box = card.querySelector(".choose");
    if (box) box.checked = chosen.has(card.dataset.unit);
  }
});
// Bars of units that carry the same labels
const sets = JSON.parse(document.getElementById("unit-sets")?.textContent ?? "[]");
for (const group of document.querySelectorAll(".mixed .set")) {
  const units = sets[Number(group.dataset.set)], words = `${group.dataset.words}: ${units.slice(0, MOST_NAMED).join(", ")}${units.length > MOST_NAMED ? ", …" : ""}`;
  group.setAttribute("tabindex", "0");
  group.setAttribute("role", "button");
  group.setAttribute("aria-label", `choose ${group.dataset.words}`);
  group.addEventListener("click", () => choose(units));
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(units);
  });
  group.addEventListener("pointermove", (event) => tell(words, event.clientX, event.clientY));
  group.addEventListener("pointerleave", () => tell(""));
  group.addEventListener("focus", () => { const box = group.getBoundingClientRect(); tell(words, box.left, box.bottom - 16); });
  onChosen(() => group.classList.toggle("chosen", units.length === chosen.size && units.every((name) => chosen.has(name))));
}
