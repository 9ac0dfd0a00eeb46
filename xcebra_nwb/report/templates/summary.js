// The tables of sessions and of units, and the search over both. Units are columns of numbers: 200,000 rows are searched
// and sorted in milliseconds, and only the rows that are seen are drawn. Text only ever becomes textContent.
const VERDICT_WORDS = ["supported", "weak", "not encoded", "not identifiable"];
const TRUTHS = { true: "yes", 1: "yes", false: "no", 0: "no" };
const bytesOf = async (text) => {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer());
};
const columnsOf = (described, bytes) => {
  const columns = new Map(), { rows } = described;
  let first = 0;
  for (const { name, bytes: width, values } of described.columns) {
    const whole = width === 1 ? new Uint8Array(rows) : width === 2 ? new Uint16Array(rows) : new Uint32Array(rows);
    for (let plane = 0; plane < width; plane++, first += rows) for (let i = 0; i < rows; i++) whole[i] |= bytes[first + i] << (8 * plane);
    columns.set(name, values ? { values, codes: whole, plain: values.map((text) => text.toLowerCase()) } : { numbers: new Float32Array(whole.buffer) });
  }
  return columns;
};
const made = (tag, text, style) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (style) element.className = style;
  return element;
};
const linked = (text, address) => Object.assign(made("a", text), { href: address });
const badge = (text, [tone, sign]) => {
  const element = made("span", `${sign} ${text}`, "badge");
  element.style.setProperty("--tone", tone);
  return element;
};
// A table that draws a part of its rows, sorts by its heads, and is saved as CSV.
const longTable = (box, { cells, values, sorted, still, more: step, worded }) => {
  const table = box.querySelector("table"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent.trim()), count = made("span"), further = made("button", "", "more"), tools = made("div", undefined, "tools");
  let found = [], limit = still, order = null;
  const drawn = (limited) => body.replaceChildren(...Array.from(found.slice(0, limited), (row) => {
    const line = made("tr");
    cells(row).forEach((content, i) => {
      const cell = line.insertCell();
      if (heads[i].classList.contains("number")) cell.className = "number";
      else if (worded?.includes(i)) cell.className = "words";
      cell.append(...(Array.isArray(content) ? content : [content]));
    });
    return line;
  }));
  const show = () => {
    drawn(limit);
    count.textContent = `${written(Math.min(limit, found.length))} of ${found.length.toLocaleString("en")} rows shown`;
    further.hidden = found.length <= limit;
    further.textContent = found.length - limit > step ? `show ${step} more` : `show all ${found.length.toLocaleString("en")}`;
  };
  const arrange = () => { if (order) found = sorted(found, order.column, order.sign); };
  heads.forEach((head, column) => {
    if (!sorted(found, column, 1)) return;
    const press = made("button", names[column]);
    press.type = "button";
    head.replaceChildren(press);
    press.addEventListener("click", () => {
      order = { column, sign: head.getAttribute("aria-sort") === "descending" ? 1 : -1 };
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order.sign < 0 ? "descending" : "ascending");
      arrange();
      show();
    });
  });
  further.type = "button";
  further.addEventListener("click", () => { limit += step; show(); });
  count.setAttribute("aria-live", "polite");
  tools.append(count, ...exports(names, () => Array.from(found, values), table.caption.textContent));
  box.prepend(tools);
  box.append(further);
  return { set: (rows) => { found = rows; limit = still; arrange(); show(); }, print: (all) => { if (all) drawn(found.length); else show(); } };
};
const startSummary = async (input) => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent), described = read("columns"), shown = read("session-styles");
  const columns = columnsOf(described, await bytesOf(read("packed-columns"))), total = described.rows, odd = described.odd;
  const sessions = (await rowsOf(document.getElementById("session-styles").nextElementSibling)).map((row) => Object.fromEntries(row.map((value, i) => [shown.names[i], value])));
  for (const item of sessions) item.plain = [item.name, item.subject, item.state, item.why, item.found, ...item.verdicts.map(([label, word]) => `${label}: ${word}`)].join("\n").toLowerCase();
  const labels = [...new Set([...columns.get("label").values, ...sessions.flatMap((item) => item.verdicts.map(([label]) => label))])];
  const fields = new Map([...[...columns].map(([name, column]) => [name, column.numbers ? "number" : "text"]), ["state", "text"], ["why", "text"], ["contents", "text"]]);
  const stateOf = new Map(sessions.map((item) => [item.name, item.state]));
  const unitAddress = (unit) => odd[unit] ?? `unit-${unit}`;
  const pageOf = (session) => `${encodeURIComponent(session)}/report.html`;
  // Which rows a term leaves: the text of a column is looked at once for each of its values.
  const keep = (rows, column, holds) => {
    const wanted = Uint8Array.from(column.plain, (text) => holds(text));
    return rows.filter((row) => wanted[column.codes[row]]);
  };
  const ofUnits = (rows, { field, label, op, value, number }) => {
    if (label) return keep(keep(rows, columns.get("label"), (text) => text === label.toLowerCase()), columns.get("verdict"), (text) => textHolds(op === "=" ? "=" : op, text, value));
    if (field === "state") return keep(rows, columns.get("session"), (text) => textHolds(op, stateOf.get(text) ?? "done", value));
    if (field === "why" || field === "contents") {
      const by = new Map(sessions.map((item) => [item.name.toLowerCase(), String(field === "why" ? item.why : item.found).toLowerCase()]));
      return keep(rows, columns.get("session"), (text) => textHolds(op, by.get(text) ?? "", value));
    }
    if (field) {
      const column = columns.get(field);
      if (column.numbers) {
        const bound = Math.fround(number), compared = COMPARED[op], { numbers } = column;
        return rows.filter((row) => !Number.isNaN(numbers[row]) && compared(numbers[row], bound));
      }
      const wanted = field === "carries" ? TRUTHS[value] ?? value : value;
      return keep(rows, column, (text) => textHolds(op, text, wanted));
    }
    const texts = [...columns.values()].filter((column) => column.codes), wanted = texts.map((column) => Uint8Array.from(column.plain, (text) => text.includes(value)));
    return rows.filter((row) => texts.some((column, i) => wanted[i][column.codes[row]]));
  };
  const UNIT_ONLY = new Set([...columns.keys()].filter((name) => !["session", "subject", "label", "verdict"].includes(name)));
  const ofSession = (item, { field, label, op, value }) => {
    if (label) return item.verdicts.some(([name, word]) => name === label && textHolds(op, word, value));
    if (field === "session") return textHolds(op, item.name.toLowerCase(), value);
    if (field === "subject") return textHolds(op, item.subject.toLowerCase(), value);
    if (field === "state") return textHolds(op, item.state, value);
    if (field === "why") return textHolds(op, item.why.toLowerCase(), value);
    if (field === "contents") return textHolds(op, item.found.toLowerCase(), value);
    if (field === "label") return item.verdicts.some(([name]) => textHolds(op, name.toLowerCase(), value));
    if (field === "verdict") return item.verdicts.some(([, word]) => textHolds(op, word, value));
    return item.plain.includes(value);
  };
  const everyUnit = Uint32Array.from({ length: total }, (_, i) => i);
  const searched = (terms) => {
    let rows = everyUnit;
    for (const term of terms) rows = ofUnits(rows, term);
    const withUnits = new Set();
    const { codes, values } = columns.get("session");
    for (const row of rows) withUnits.add(codes[row]);
    const names = new Set([...withUnits].map((code) => values[code]));
    const aboutUnits = terms.some((term) => UNIT_ONLY.has(term.field));
    const kept = sessions.filter((item) => (aboutUnits ? names.has(item.name) : terms.every((term) => ofSession(item, term) || (!term.field && !term.label && names.has(item.name)))));
    return { rows, sessions: kept };
  };
  const nothing = (terms) => { // why nothing is found
    const alone = terms.map((term) => ({ term, ...searched([term]) })), empty = alone.filter((one) => !one.rows.length && !one.sessions.length);
    if (!empty.length) return `Each term finds something (${alone.map((one) => `${one.term.raw.trim()}: ${one.rows.length.toLocaleString("en")} units`).join("; ")}), but no row has all of them.`;
    return empty.map(({ term }) => {
      const column = columns.get(term.field);
      if (column?.numbers) {
        let low = Infinity, high = -Infinity;
        for (const value of column.numbers) if (!Number.isNaN(value)) { low = Math.min(low, value); high = Math.max(high, value); }
        return low > high ? `“${term.raw.trim()}” finds nothing: no unit has ${term.field}.` : `“${term.raw.trim()}” finds nothing: ${term.field} goes from ${written(low)} to ${written(high)}.`;
      }
      if (column) return `“${term.raw.trim()}” finds nothing. Nearest values of ${term.field}: ${listed(nearest(term.value, column.values))}.`;
      if (term.field === "state") return `“${term.raw.trim()}” finds nothing. States: ${listed([...new Set(sessions.map((item) => item.state))])}.`;
      const words = [...columns].filter(([name, one]) => one.codes && name !== "unit").flatMap(([, one]) => one.values);
      return term.label ? `No session has the verdict “${term.value}” on ${term.label}.` : `“${term.raw.trim()}” is found nowhere. Nearest: ${listed(nearest(term.value, words))}. Labels: ${listed(columns.get("label").values)}.`;
    }).join(" ");
  };
  const ranks = new Map(); // of texts, in the order of a reader
  const rankOf = (column) => {
    if (!ranks.has(column)) {
      const order = column.values.map((_, i) => i).sort((a, b) => column.values[a].localeCompare(column.values[b], "en", { numeric: true })), rank = new Uint32Array(order.length);
      order.forEach((value, place) => { rank[value] = place; });
      ranks.set(column, rank);
    }
    return ranks.get(column);
  };
  const names = [...columns.keys()];
  const unitRow = (row) => names.map((name) => { const column = columns.get(name); return column.codes ? column.values[column.codes[row]] : Number.isNaN(column.numbers[row]) ? null : Number(column.numbers[row].toPrecision(3)); });
  const unitTable = longTable(document.querySelector(".units.found"), {
    still: 50, more: 200, values: unitRow,
    cells: (row) => unitRow(row).map((value, i) => (names[i] === "unit" ? linked(value, `${pageOf(unitRow(row)[0])}#${unitAddress(value)}`) : names[i] === "session" ? linked(value, pageOf(value)) : written(value))),
    sorted: (rows, column, sign) => {
      const { codes, numbers, values } = columns.get(names[column]);
      if (numbers) {
        const known = rows.filter((row) => !Number.isNaN(numbers[row])), unknown = rows.filter((row) => Number.isNaN(numbers[row]));
        known.sort((a, b) => sign * (numbers[a] - numbers[b]) || a - b);
        return Uint32Array.from([...known, ...unknown]);
      }
      const rank = rankOf({ values, codes });
      return rows.slice().sort((a, b) => sign * (rank[codes[a]] - rank[codes[b]]) || a - b);
    },
  });
  const sessionLinks = (item) => {
    const folder = encodeURIComponent(item.name), files = Object.entries(shown.files);
    const links = item.files.map((i) => linked(files[i][1], `${folder}/${encodeURIComponent(files[i][0].replace("{}", item.name))}`));
    if (item.logs) links.push(linked("logs", `logs/${folder}/`));
    return links.flatMap((link) => [link, " "]);
  };
  const verdicts = (item) => {
    const box = made("div", undefined, "verdicts");
    for (const [label, word] of item.verdicts) box.append(badge(`${label}: ${word}`, shown.styles[word] ?? ["#56606b", "?"]));
    return box;
  };
  const textOf = [(item) => item.name, (item) => item.subject, (item) => item.state, (item) => item.verdicts.map(([label, word]) => `${label}: ${word}`).join("; "), (item) => item.why, (item) => item.found];
  const sessionTable = longTable(document.querySelector(".sessions.found"), {
    still: 50, more: 200, worded: [4, 5], values: (item) => [...textOf.map((text) => text(item)), item.files.length],
    cells: (item) => [item.page ? linked(item.name, pageOf(item.name)) : item.name, item.subject, badge(item.state, shown.styles[item.state]), verdicts(item), item.why, item.found, sessionLinks(item)],
    sorted: (rows, column, sign) => (textOf[column] ? rows.slice().sort((a, b) => sign * textOf[column](a).localeCompare(textOf[column](b), "en", { numeric: true })) : null),
  });
  const said = document.getElementById("search-said"), everywhere = Number(document.querySelector(".units.found").dataset.total);
  const left = everywhere > total ? `The page holds ${total.toLocaleString("en")} of ${everywhere.toLocaleString("en")} rows, carriers of supported labels first; atlas.csv holds all.` : "";
  const search = () => {
    const { terms, problems } = readSearch(input.value, fields, labels, VERDICT_WORDS), found = searched(terms);
    sessionTable.set(found.sessions);
    unitTable.set(found.rows);
    const counts = `${found.sessions.length.toLocaleString("en")} of ${sessions.length.toLocaleString("en")} sessions, ${found.rows.length.toLocaleString("en")} of ${total.toLocaleString("en")} rows of units.`;
    const none = terms.length && !found.rows.length && !found.sessions.length ? nothing(terms) : "";
    said.textContent = [...problems, none, counts, left].filter(Boolean).join(" ");
    said.classList.toggle("problem", Boolean(problems.length || none));
  };
  const addressed = () => {
    if (!location.hash.startsWith("#search=")) return;
    input.value = decodeURIComponent(location.hash.slice("#search=".length));
    search();
    document.getElementById("find").scrollIntoView();
    input.focus({ preventScroll: true });
  };
  input.addEventListener("input", () => {
    search();
    history.replaceState(null, "", input.value ? `#search=${encodeURIComponent(input.value)}` : "#find");
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !input.value) return;
    event.preventDefault();
    input.value = "";
    input.dispatchEvent(new Event("input"));
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName)) return;
    event.preventDefault();
    input.focus();
  });
  for (const example of document.querySelectorAll(".suggested")) example.addEventListener("click", () => { input.value = example.textContent; input.dispatchEvent(new Event("input")); input.focus(); });
  addEventListener("beforeprint", () => sessionTable.print(true));
  addEventListener("afterprint", () => sessionTable.print(false));
  addEventListener("hashchange", addressed);
  input.closest(".search").hidden = false;
  search();
  addressed();
};
for (const link of document.querySelectorAll(".forest a")) { // the browser would show the title as well
  const title = link.querySelector("title"), words = title.textContent;
  title.remove();
  link.setAttribute("aria-label", words);
  link.addEventListener("pointermove", (event) => tell(words.replace("; ", "\n").replace(": ", "\n"), event.clientX, event.clientY));
  link.addEventListener("pointerleave", () => tell(""));
  link.addEventListener("focus", () => { const { left, bottom } = link.getBoundingClientRect(); tell(words, left + 40, bottom); });
  link.addEventListener("blur", () => tell(""));
}
startSummary(document.getElementById("search"));
