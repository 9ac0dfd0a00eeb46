// Any two numbers of the units against each other: the pointer says which unit, a click opens its card, a drag chooses units.
const SCATTER = { width: 620, height: 400, left: 58, right: 12, top: 12, bottom: 44 };
const svgElement = (name, attributes, text = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};
const ticksOf = (low, high, count) => {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough);
  return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => Number(((Math.ceil(low / step) + i) * step).toPrecision(6)));
};
const scaleOf = (values, from, to) => {
  const known = values.filter((value) => value !== null), logarithmic = known.length > 1 && Math.min(...known) > 0 && Math.max(...known) > 30 * Math.min(...known);
  const bent = logarithmic ? Math.log10 : (value) => value;
  let [low, high] = known.length ? [bent(Math.min(...known)), bent(Math.max(...known))] : [0, 1];
  if (!(high > low)) { low -= 0.5; high += 0.5; }
  const room = (high - low) * 0.04;
  [low, high] = [low - room, high + room];
  const place = (value) => from + (bent(value) - low) / (high - low) * (to - from);
  const decades = [1, 2, 5].flatMap((digit) => Array.from({ length: 14 }, (_, i) => digit * 10 ** (i - 6))).filter((value) => bent(value) >= low && bent(value) <= high).sort((a, b) => a - b);
  return { place, ticks: logarithmic ? decades : ticksOf(low, high, 6) };
};
const startScatter = async (figure) => {
  await Promise.all([...sheets.values(), gallery].map((each) => each.ready));
  const units = [...gallery.byUnit.keys()], columns = new Map();
  const add = (title, { names, byUnit }, column, label = "") => columns.set(title, { label, values: units.map((unit) => byUnit.get(unit)[names.indexOf(column)]) });
  for (const [label, kept] of sheets) for (const column of ["information", "attribution", "z"]) add(`${column === "attribution" ? "share" : column} · ${label}`, kept, column, label);
  for (const column of ["rate", "presence"]) add(column, gallery, column);
  const names = [...columns.keys()].filter((name) => columns.get(name).values.some((value) => value !== null));
  const svg = figure.querySelector("svg"), [xBox, yBox] = ["x", "y"].map((name) => figure.querySelector(`select.${name}`));
  const labels = [...sheets.keys()];
  const first = names[0], second = names.find((name) => name === `information · ${labels[1]}`) ?? names[1] ?? names[0];
  for (const [box, start] of [[xBox, first], [yBox, second]]) {
    box.append(...names.map((name) => new Option(name, name, false, name === start)));
    box.addEventListener("change", () => draw());
  }
  let at = [], current = -1, pressed = null;
  const marks = () => {
    const path = (wanted) => at.filter(Boolean).filter(wanted).map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
    svg.querySelector(".chosen").setAttribute("d", path(([, , i]) => chosen.has(units[i])));
    const here = at[current];
    svg.querySelector(".current").setAttribute("d", here ? `M${here[0]} ${here[1]}h0` : "");
  };
  const draw = () => {
    const x = columns.get(xBox.value), y = columns.get(yBox.value), { width, height, left, right, top, bottom } = SCATTER;
    const across = scaleOf(x.values, left, width - right), down = scaleOf(y.values, height - bottom, top);
    at = units.map((_, i) => (x.values[i] === null || y.values[i] === null ? null : [across.place(x.values[i]), down.place(y.values[i]), i]));
    const carried = (i) => [x.label, y.label].some((label) => label && sheets.get(label).byUnit.get(units[i])[2]);
    const path = (wanted) => at.filter(Boolean).filter(([, , i]) => carried(i) === wanted).map(([a, b]) => `M${a.toFixed(1)} ${b.toFixed(1)}h0`).join("");
    const axis = [svgElement("path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` })];
    for (const tick of across.ticks) axis.push(svgElement("path", { class: "axis", d: `M${across.place(tick)} ${height - bottom}v4` }), svgElement("text", { x: across.place(tick), y: height - bottom + 16, "text-anchor": "middle" }, written(tick)));
    for (const tick of down.ticks) axis.push(svgElement("path", { class: "axis", d: `M${left} ${down.place(tick)}h-4` }), svgElement("text", { x: left - 7, y: down.place(tick) + 4, "text-anchor": "end" }, written(tick)));
    axis.push(svgElement("text", { x: (width + left) / 2, y: height - 6, "text-anchor": "middle" }, xBox.value));
    axis.push(svgElement("text", { transform: `translate(14 ${(height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, yBox.value));
    svg.replaceChildren(...axis, svgElement("path", { class: "others", d: path(false) }), svgElement("path", { class: "carriers", d: path(true) }), svgElement("path", { class: "chosen" }), svgElement("path", { class: "current" }), svgElement("rect", { class: "drag", width: 0, height: 0 }));
    svg.setAttribute("aria-label", `${xBox.value} and ${yBox.value} of ${at.filter(Boolean).length} units. Arrow keys go from unit to unit, the space bar chooses, Enter opens the card.`);
    current = -1;
    marks();
  };
  const nearest = (point) => {
    let best = -1, least = 144;
    for (const each of at) {
      if (!each) continue;
      const apart = (each[0] - point.x) ** 2 + (each[1] - point.y) ** 2;
      if (apart < least) { least = apart; best = each[2]; }
    }
    return best;
  };
  const words = (i) => `unit ${units[i]} · ${gallery.byUnit.get(units[i])[1] || "no region"}\n${[...new Set([xBox.value, yBox.value])].map((name) => `${name}: ${written(columns.get(name).values[i])}`).join("\n")}`;
  const corner = (i) => new DOMPoint(at[i][0], at[i][1]).matrixTransform(svg.getScreenCTM());
  svg.addEventListener("pointerdown", (event) => { pressed = within(svg, event); svg.setPointerCapture(event.pointerId); });
  svg.addEventListener("pointermove", (event) => {
    const point = within(svg, event), box = svg.querySelector(".drag");
    if (pressed && Math.hypot(point.x - pressed.x, point.y - pressed.y) > 4) {
      tell("");
      for (const [key, value] of Object.entries({ x: Math.min(point.x, pressed.x), y: Math.min(point.y, pressed.y), width: Math.abs(point.x - pressed.x), height: Math.abs(point.y - pressed.y) })) box.setAttribute(key, value);
      return;
    }
    current = nearest(point);
    svg.style.cursor = current >= 0 ? "pointer" : "crosshair";
    tell(current < 0 ? "" : words(current), event.clientX, event.clientY);
    marks();
  });
  svg.addEventListener("pointerup", (event) => {
    const point = within(svg, event), [a, b] = [pressed ?? point, point], box = svg.querySelector(".drag");
    pressed = null;
    box.setAttribute("width", 0);
    if (Math.hypot(b.x - a.x, b.y - a.y) > 4) {
      const inside = ([x, y]) => x >= Math.min(a.x, b.x) && x <= Math.max(a.x, b.x) && y >= Math.min(a.y, b.y) && y <= Math.max(a.y, b.y);
      choose(at.filter(Boolean).filter(inside).map(([, , i]) => units[i]));
    } else if (nearest(point) >= 0) {
      const unit = units[nearest(point)];
      if (event.shiftKey) choose([unit], "toggle");
      else location.hash = addresses.get(unit);
    }
  });
  svg.addEventListener("pointerleave", () => tell(""));
  svg.addEventListener("keydown", (event) => {
    const axis = { ArrowRight: 0, ArrowLeft: 0, ArrowUp: 1, ArrowDown: 1 }[event.key], known = at.filter(Boolean);
    if (event.key === "Enter" && current >= 0) location.hash = addresses.get(units[current]);
    else if (event.key === " " && current >= 0) choose([units[current]], "toggle");
    else if (axis !== undefined && known.length) {
      const sorted = known.sort((a, b) => a[axis] - b[axis]), step = event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : -1;
      const place = sorted.findIndex(([, , i]) => i === current);
      current = sorted[place < 0 ? 0 : Math.max(0, Math.min(sorted.length - 1, place + step))][2];
      const { x, y } = corner(current);
      tell(words(current), x, y);
      marks();
    } else return;
    event.preventDefault();
  });
  onChosen(marks);
  draw();
  figure.dataset.ready = "yes";
};
for (const figure of document.querySelectorAll("figure.scatter")) {
  figure.hidden = false;
  whenSeen(figure, () => startScatter(figure));
}
