// Tables that sort by any column, filter by words and comparisons, and show a few rows at a time.
// Rows come from a JSON element next to the table, or are those already there. Text only ever becomes textContent.
const STEP = 200;
const sheets = new Map(); // the units' numbers, by label: names of the columns, and rows
let gallery = null; // the same of the table of all units
const inflated = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")));
};
const unpacked = (text) => inflated(text).text();
const rowsOf = async (stored) => {
  const content = JSON.parse(stored.textContent);
  return "packed" in stored.dataset ? JSON.parse(await unpacked(content)) : content;
};
const sheet = (box, ready) => {
  const names = [...box.querySelectorAll("thead th")].map((head) => head.textContent.trim());
  const kept = { names, byUnit: null };
  const fill = (rows) => { kept.byUnit = new Map(rows.map((row) => [String(row[0]), row])); };
  if (Array.isArray(ready)) fill(ready);
  else kept.ready = ready.then(fill);
  return kept;
};
const startTable = (box, given) => {
  const table = box.querySelector("table"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent.trim());
  const drawn = (values) => {
    const row = document.createElement("tr");
    values.forEach((value, i) => {
      const cell = row.insertCell(), address = heads[i].classList.contains("unit-name") && addresses.get(String(value));
      if (address) {
        const link = document.createElement("a");
        link.href = `#${address}`;
        link.textContent = written(value);
        cell.append(chooser(String(value)), link);
      } else cell.textContent = written(value);
      if (heads[i].classList.contains("number")) cell.className = "number";
    });
    return row;
  };
  const read = (cell) => {
    const text = cell.textContent.trim(), value = Number(text.replaceAll("−", "-").replaceAll(",", ""));
    return text === "–" || text === "" ? null : Number.isNaN(value) ? text : value;
  };
  const all = given
    ? given.map((values) => ({ values }))
    : [...body.rows].map((row) => ({ row, values: [...row.cells].map(read) }));
  let rows = all, limit = Number(box.dataset.rows || 25);
  const ofUnits = given && heads[0]?.classList.contains("unit-name"), named = (item) => String(item.values[0]);
  const passes = (values, term) => {
    const compared = term.match(/^(.+?)(<=|>=|<|>)(-?[\d.e-]+)$/), column = compared ? names.indexOf(compared[1]) : -1;
    if (column < 0) return values.some((value) => typeof value === "string" && value.toLowerCase().includes(term));
    const value = values[column], bound = Number(compared[3]);
    if (typeof value !== "number") return false;
    return { "<": value < bound, ">": value > bound, "<=": value <= bound, ">=": value >= bound }[compared[2]];
  };
  const count = document.createElement("span"), more = document.createElement("button");
  const mark = (most = limit) => {
    if (!ofUnits) return;
    for (const item of rows.slice(0, most)) {
      item.row.classList.toggle("chosen", chosen.has(named(item)));
      item.row.querySelector(".choose").checked = chosen.has(named(item));
    }
  };
  const show = (most = limit) => {
    body.replaceChildren(...rows.slice(0, most).map((item) => (item.row ??= drawn(item.values))));
    mark(most);
    count.textContent = `${Math.min(limit, rows.length)} of ${rows.length} rows shown`;
    more.hidden = rows.length <= limit;
    more.textContent = rows.length - limit > STEP ? `show ${STEP} more` : `show all ${rows.length}`;
  };
  const order = (column, sign) => {
    rows.sort((a, b) => {
      const x = a.values[column], y = b.values[column];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
    });
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = names[column];
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      order(column, down ? -1 : 1);
      show();
    });
  });
  const tools = document.createElement("div"), filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = box.dataset.hint || "filter";
  filter.setAttribute("aria-label", "filter rows");
  const filtered = () => {
    const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows = all.filter((item) => terms.every((term) => passes(item.values, term)) && (!ofUnits || !onlyChosen || chosen.has(named(item))));
    const sorted = heads.findIndex((head) => head.hasAttribute("aria-sort"));
    if (sorted >= 0) order(sorted, heads[sorted].getAttribute("aria-sort") === "descending" ? -1 : 1);
    show();
  };
  filter.addEventListener("input", filtered);
  let alone = false;
  if (ofUnits) {
    onChosen(() => {
      if (onlyChosen || alone) filtered();
      else mark();
      alone = onlyChosen;
    });
  }
  count.setAttribute("aria-live", "polite");
  tools.className = "tools";
  if (all.length > 10) tools.append(filter, count);
  tools.append(...exports(names, () => rows.map((item) => item.values), table.caption?.textContent));
  box.prepend(tools);
  more.type = "button";
  more.className = "more";
  more.addEventListener("click", () => { limit += STEP; show(); });
  box.append(more);
  show();
  const buttons = heads.map((head) => head.firstChild);
  addEventListener("beforeprint", () => { // on paper nobody can ask for more, and a head with a button is not repeated
    heads.forEach((head, i) => head.replaceChildren(names[i]));
    show(rows.length);
  });
  addEventListener("afterprint", () => {
    heads.forEach((head, i) => head.replaceChildren(buttons[i]));
    show();
  });
};
const keep = (box, rows) => {
  if (box.dataset.label) sheets.set(box.dataset.label, sheet(box, rows));
  else if ("gallery" in box.dataset) gallery = sheet(box, rows);
};
for (const box of document.querySelectorAll(".table")) {
  const stored = box.querySelector("script[type='application/json']");
  if (!stored) startTable(box);
  else if ("packed" in stored.dataset) {
    const ready = rowsOf(stored);
    keep(box, ready);
    ready.then((rows) => startTable(box, rows));
  } else {
    const rows = JSON.parse(stored.textContent);
    keep(box, rows);
    startTable(box, rows);
  }
}
