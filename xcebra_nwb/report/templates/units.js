// The cards of units: opened by their address, unpacked where they are many. And what the pointer is at in a matrix or card.
const cardsBox = document.getElementById("cards");
const packs = new Map();
for (const pack of document.querySelectorAll("script.pack")) for (const address of pack.dataset.addresses.split(" ")) packs.set(address, pack);
const fillTests = (card) => { // the numbers of a packed card are those of the tables
  const table = document.createElement("table"), unit = card.dataset.unit;
  table.className = "tests";
  let heads = null;
  for (const [label, { names, byUnit }] of sheets) {
    if (!heads) {
      heads = table.createTHead().insertRow();
      ["label", ...names.slice(2)].forEach((name, i) => {
        const head = document.createElement("th");
        head.scope = "col";
        head.textContent = name;
        if (i > 1) head.className = "number";
        heads.append(head);
      });
      table.createTBody();
    }
    const row = table.tBodies[0].insertRow();
    [label, ...byUnit.get(unit).slice(2)].forEach((value, i) => {
      const made = row.insertCell();
      made.textContent = written(value);
      if (i > 1) made.className = "number";
    });
  }
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", `both tests of unit ${unit}`);
  scroll.append(table);
  card.append(scroll);
};
const unpackCards = async (pack) => {
  await Promise.all([...sheets.values()].map((sheet) => sheet.ready));
  const content = document.createElement("template");
  content.innerHTML = await unpacked(pack.textContent); // written by the same templates as the page, escaped alike
  const cards = [...content.content.querySelectorAll(".unit")];
  cardsBox.append(content.content);
  for (const address of pack.dataset.addresses.split(" ")) packs.delete(address);
  cards.forEach(fillTests);
};
const openCard = async () => {
  const address = decodeURIComponent(location.hash.slice(1));
  if (!cardsBox || !address.startsWith("unit-")) return;
  if (packs.has(address)) await unpackCards(packs.get(address));
  const card = document.getElementById(address);
  if (!card?.classList.contains("unit")) return;
  for (const other of cardsBox.querySelectorAll(".open")) other.classList.remove("open");
  card.classList.add("open");
  if (!card.dataset.ready) {
    card.dataset.ready = "yes";
    card.querySelectorAll(".panel").forEach(saveable);
    const label = document.createElement("label");
    label.className = "choosing";
    label.append(chooser(card.dataset.unit), "choose");
    card.querySelector(".steps").append(label);
    card.classList.toggle("chosen", chosen.has(card.dataset.unit));
  }
  tell("");
  card.scrollIntoView();
  card.focus({ preventScroll: true });
};
addEventListener("hashchange", openCard);
openCard();

// The matrix
const between = (low, high) => (low === null || low === undefined ? "" : ` (${written(low)} to ${written(high)})`);
const told = (unit, label) => {
  const { names, byUnit } = sheets.get(label), row = byUnit?.get(unit);
  if (!row) return `unit ${unit}\n${label}`;
  const at = (name) => row[names.indexOf(name)];
  return `unit ${unit} · ${at("region") || "no region"}\n${label}${at("carries") ? ": carried" : ""}\n`
    + `information ${written(at("information"))}${between(at("info low"), at("info high"))}, q ${written(at("q"))}\n`
    + `share ${written(at("attribution"))} × the median unit${between(at("low"), at("high"))}\nz ${written(at("z"))}${between(at("z low"), at("z high"))}, q ${written(at("q of z"))}`;
};
const places = JSON.parse(document.getElementById("matrix-places")?.textContent ?? "null");
const within = (svg, event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
for (const svg of document.querySelectorAll("svg.matrix")) {
  for (const link of svg.querySelectorAll("a")) {
    link.setAttribute("aria-label", link.querySelector("title").textContent);
    link.querySelector("title").remove();
  }
  const labels = [...sheets.keys()];
  let line = 0, row = 0, column = -1;
  const unitAt = () => places.units[line]?.[column];
  const flat = places.units.flatMap((units, l) => units.map((unit, c) => [unit, l, c]).filter(([unit]) => unit !== null));
  const atPlace = new Map(flat.map(([, l, c], i) => [`${l} ${c}`, i]));
  const marks = document.createElementNS("http://www.w3.org/2000/svg", "path");
  marks.setAttribute("class", "chosen");
  marks.setAttribute("stroke-width", places.width);
  svg.append(marks);
  onChosen(() => marks.setAttribute("d", flat.filter(([unit]) => chosen.has(unit)).map(([, l, c]) => `M${places.left + (c + 0.5) * places.width} ${l * places.line + places.above}v${places.height * labels.length}`).join("")));
  let pressed = -1, moved = false;
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("pointerdown", (event) => { moved = false; pressed = locate(event); });
  addEventListener("pointerup", () => { pressed = -1; });
  const shown = () => {
    const corner = new DOMPoint(places.left + (column + 0.5) * places.width, line * places.line + places.above + (row + 0.5) * places.height).matrixTransform(svg.getScreenCTM());
    tell(told(unitAt(), labels[row]), corner.x, corner.y);
  };
  const locate = (event) => {
    const point = within(svg, event);
    line = Math.floor(point.y / places.line);
    row = Math.floor((point.y - line * places.line - places.above) / places.height);
    column = Math.floor((point.x - places.left) / places.width);
    return atPlace.get(`${line} ${column}`) ?? -1;
  };
  svg.addEventListener("pointermove", (event) => {
    const here = locate(event);
    if (pressed >= 0 && here >= 0 && (moved || here !== pressed)) {
      moved = true;
      choose(flat.slice(Math.min(here, pressed), Math.max(here, pressed) + 1).map(([unit]) => unit));
      tell("");
      return;
    }
    const unit = row >= 0 && row < labels.length ? unitAt() : null;
    svg.style.cursor = unit ? "pointer" : "";
    tell(unit ? told(unit, labels[row]) : "", event.clientX, event.clientY);
  });
  svg.addEventListener("pointerleave", () => tell(""));
  svg.addEventListener("click", (event) => {
    const unit = row >= 0 && row < labels.length ? unitAt() : null;
    if (moved || event.shiftKey) {
      event.preventDefault();
      if (!moved && unit) choose([unit], "toggle");
    } else if (unit && !event.target.closest("a")) location.hash = addresses.get(unit);
  });
  let place = -1;
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], other = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && place >= 0) location.hash = addresses.get(flat[place][0]);
    if (event.key === " " && place >= 0) {
      event.preventDefault();
      choose([flat[place][0]], "toggle");
    }
    if (!step && !other) return;
    event.preventDefault();
    if (place < 0) place = 0;
    else if (step) place = Math.max(0, Math.min(flat.length - 1, place + step));
    if (other) row = Math.max(0, Math.min(labels.length - 1, row + other));
    row = Math.max(0, Math.min(labels.length - 1, row));
    [, line, column] = flat[place];
    if (event.shiftKey && step) choose([flat[place][0]], "add");
    shown();
  });
}

// The drawings of a card
const points = (path) => { // the corners of a path as vector.py writes it
  const found = [], parts = path.getAttribute("d").match(/[MlhVz]|[-+]?\d+(?:\.\d+)?/g) ?? [];
  let x = 0, y = 0, mode = "";
  for (let i = 0; i < parts.length; i++) {
    if (/[MlhVz]/.test(parts[i])) { mode = parts[i]; continue; }
    if (mode === "M") { x = Number(parts[i]); y = Number(parts[++i]); }
    else if (mode === "l") { x += Number(parts[i]); y += Number(parts[++i]); }
    else if (mode === "V") y = Number(parts[i]);
    else continue;
    found.push([x, y]);
  }
  return found;
};
const AREA = { top: 14, height: 100, x: 70, y: 72, radius: 50, left: 6 }; // as in unit_panels.py
const two = (value) => written(Number(value.toPrecision(2)));
const colors = (cardsBox?.dataset.colors ?? "").match(/.{6}/g)?.map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16))) ?? [];
const pixelsOf = async (image) => {
  const picture = new Image(), canvas = document.createElement("canvas");
  picture.src = image.getAttribute("href");
  await picture.decode();
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
  return pen.getImageData(0, 0, canvas.width, canvas.height);
};
const RATES = { bottom: 120, height: 56 }; // as in event_panels.py
const pointedEvents = (svg, shared, point, bins, bottom, top) => {
  const [first, step] = shared.dataset.x.split(" ").map(Number), bin = Math.round((point.x - first) / step);
  if (bin < 0 || bin >= bins[2]) return "";
  const value = (y) => bottom + (RATES.bottom - y) / RATES.height * (top - bottom), lag = bins[0] + (bins[1] - bins[0]) * bin / Math.max(bins[2] - 1, 1);
  const lines = shared.dataset.n.split("\n").map((name, group) => {
    const here = (kind) => points(svg.querySelector(`.${kind}.g${group}`)).filter(([x]) => x === first + bin * step).map(([, y]) => value(y));
    const [known] = here("c"), range = here("b");
    return `${name}: ${known === undefined ? "too few events" : `about ${two(known)} ${shared.dataset.u} (${two(Math.min(...range))} to ${two(Math.max(...range))})`}`;
  });
  return [`${written(Number(lag.toPrecision(2)))} s`, ...lines].join("\n");
};
const pointedIn = async (svg, point) => {
  const shared = document.getElementById(svg.dataset.p), form = shared.dataset.f, bins = shared.dataset.b.split(" ").map(Number);
  const [bottom, top] = svg.dataset.r.split(" ").map(Number), units = shared.dataset.u, named = shared.dataset.v;
  const middle = svg.querySelector(form === "classes" ? ".d" : ".c"), ends = svg.querySelector(form === "classes" ? ".i" : ".b");
  if (form === "map") {
    const [x0, x1, nx, y0, y1, ny] = bins, column = Math.floor((point.x - AREA.left) / AREA.height * nx), row = Math.floor((point.y - AREA.top) / AREA.height * ny);
    if (column < 0 || column >= nx || row < 0 || row >= ny) return "";
    const picture = (svg.pixels ??= await pixelsOf(svg.querySelector("image"))), at = 4 * (row * nx + column), [r, g, b, opaque] = picture.data.slice(at, at + 4);
    const where = `(${two(x0 + (x1 - x0) * column / (nx - 1))}, ${two(y1 - (y1 - y0) * row / (ny - 1))}) ${named}`;
    if (!opaque) return `${where}: too little visited`;
    const apart = colors.map((color) => Math.abs(color[0] - r) + Math.abs(color[1] - g) + Math.abs(color[2] - b));
    const level = apart.indexOf(Math.min(...apart));
    return `${where}: about ${two(bottom + (top - bottom) * level / (colors.length - 1))} ${units}`;
  }
  if (form === "polar") {
    const angle = (Math.atan2(AREA.y - point.y, point.x - AREA.x) * 180 / Math.PI + 360) % 360, n = bins[2], bin = Math.floor(angle / 360 * n);
    const center = (bin + 0.5) * 360 / n, cos = Math.cos(center * Math.PI / 180), sin = Math.sin(center * Math.PI / 180);
    const radii = (path) => points(path).map(([x, y]) => [x - AREA.x, AREA.y - y]).filter(([x, y]) => Math.abs(x * sin - y * cos) <= 1 && x * cos + y * sin >= 0).map(([x, y]) => Math.hypot(x, y));
    const known = radii(middle);
    if (!known.length) return `${written(Math.round(center))}°: too little visited`;
    return `${written(Math.round(center))}°: about ${two(bottom + (top - bottom) * Math.max(...known) / AREA.radius)} ${units}`;
  }
  if (form === "events") return pointedEvents(svg, shared, point, bins, bottom, top);
  const [first, step] = shared.dataset.x.split(" ").map(Number), bin = Math.round((point.x - first) / step);
  if (bin < 0 || bin >= bins[2]) return "";
  const value = (y) => bottom + (AREA.top + AREA.height - y) / AREA.height * (top - bottom), here = (path) => points(path).filter(([x]) => x === first + bin * step).map(([, y]) => value(y));
  const [known] = here(middle), range = here(ends), names = [...shared.querySelectorAll("text")];
  const where = form === "classes" ? (names.length === bins[2] ? names[bin].textContent : `class ${bin + 1}`) : `${written(Number((bins[0] + (bins[1] - bins[0]) * bin / Math.max(bins[2] - 1, 1)).toPrecision(3)))} ${named}`;
  if (known === undefined) return `${where}: too little visited`;
  return `${where}: about ${two(known)} ${units} (${two(Math.min(...range))} to ${two(Math.max(...range))})`;
};
for (const box of document.querySelectorAll(".foremost, #cards")) {
  box.addEventListener("pointermove", async (event) => {
    const svg = event.target.closest("svg[data-p]");
    tell(svg ? await pointedIn(svg, within(svg, event)) : "", event.clientX, event.clientY);
  });
  box.addEventListener("pointerleave", () => tell(""));
}
for (const figure of document.querySelectorAll(".foremost .panel")) saveable(figure);
