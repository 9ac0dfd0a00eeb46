// A search of a table: "z > 3", "region=CA1", "position: weak", "subject=a" and words, all of which must hold.
const plainName = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/\s+/g, "\\s+");
const apart = (a, b) => { // letters to change, add or leave out
  let last = [...Array(b.length + 1).keys()];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(last[j] + 1, next[j - 1] + 1, last[j - 1] + (a[i - 1] !== b[j - 1]));
    last = next;
  }
  return last[b.length];
};
const nearest = (text, names, most = 5) => {
  const wanted = plainName(text);
  return names.filter((name) => name).map((name) => {
    const plain = plainName(name);
    return [plain.includes(wanted) || wanted.includes(plain) ? 0.5 : apart(wanted.slice(0, 60), plain.slice(0, 60)), name];
  }).sort((a, b) => a[0] - b[0]).slice(0, most).map(([, name]) => name);
};
const listed = (names) => names.map((name) => (/[\s"<>=:!]/.test(name) ? `"${name}"` : name)).join(", ");
const COMPARED = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b, "!=": (a, b) => a !== b };
// fields: name -> "text" or "number"; labels: names that take a verdict; phrases: values of several words.
const readSearch = (text, fields, labels, phrases) => {
  const names = [...fields.keys(), ...labels].filter((name) => name).sort((a, b) => b.length - a.length).map(escaped).join("|");
  const pattern = new RegExp(`"([^"]*)"(?!\\s*[<>=:!≤≥])|(?:"([^"]*)"|(${names || "(?!)"})|([^\\s"<>=:!≤≥]+))\\s*(<=|>=|!=|==|[<>=:≤≥])\\s*(?:"([^"]*)"|((?:${phrases.map(escaped).join("|") || "(?!)"})(?=\\s|$)|[^\\s"<>=:!≤≥]+))?|(\\S+)`, "giu");
  const terms = [], problems = [];
  for (const [raw, phrase, quotedField, known, other, sign, quotedValue, value, word] of text.matchAll(pattern)) {
    if (phrase !== undefined || word !== undefined) {
      const wanted = (phrase ?? word).toLowerCase();
      if (word !== undefined && /^(and|&|&&|,|;)$/i.test(word)) continue;
      if (word !== undefined && /^(or|not|\||\|\|)$/i.test(word)) problems.push(`“${word}” is not understood: every term must hold; != leaves a value out.`);
      else if (word !== undefined && /[<>=:!≤≥]/.test(word)) problems.push(`“${word}” is not understood: write a field, a sign and a value, such as z > 3.`);
      else if (wanted) terms.push({ raw, value: wanted });
      continue;
    }
    const said = quotedField ?? known ?? other, given = quotedValue ?? value;
    const op = { "≤": "<=", "≥": ">=", "==": "=" }[sign] ?? sign;
    const field = [...fields.keys()].find((name) => plainName(name) === plainName(said) && plainName(said));
    const label = field ? undefined : labels.find((name) => name.toLowerCase() === said.toLowerCase());
    if (given === undefined) problems.push(`“${raw.trim()}” has no value.`);
    else if (field && fields.get(field) === "number") {
      const number = Number(given.replaceAll("−", "-"));
      if (Number.isNaN(number) || given.trim() === "") problems.push(`“${raw}”: ${field} is a number, and “${given}” is none.`);
      else terms.push({ raw, field, op: op === ":" ? "=" : op, number });
    } else if (field && /[<>]/.test(op)) problems.push(`“${raw}”: ${field} is a text: write ${field}=… for the whole, ${field}:… for a part of it.`);
    else if (field) terms.push({ raw, field, op, value: given.toLowerCase() });
    else if (label && /[<>]/.test(op)) problems.push(`“${raw}”: ${label} is a label and takes a verdict: ${listed(phrases)}. For its units write label="${label}".`);
    else if (label && !phrases.some((verdict) => verdict.includes(given.toLowerCase()))) problems.push(`“${raw}”: no verdict is called “${given}”; there are ${listed(phrases)}.`);
    else if (label) terms.push({ raw, label, op, value: given.toLowerCase() });
    else problems.push(`There is no field “${said}”. Nearest: ${listed(nearest(said, [...fields.keys(), ...labels], 3))}. Fields: ${listed([...fields.keys()])}; labels: ${listed(labels.slice(0, 20))}.`);
  }
  return { terms, problems };
};
const textHolds = (op, text, wanted) => (op === ":" ? text.includes(wanted) : op === "!=" ? text !== wanted : text === wanted);
