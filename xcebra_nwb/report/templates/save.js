// Figures are saved as SVG and PNG, tables as CSV; both can be copied.
const button = (name, label, action) => {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "save";
  made.textContent = name;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
};
const fileName = (text, ending) => {
  const plain = `${document.querySelector("h1")?.textContent ?? "page"} ${text}`.normalize("NFKD");
  return `${plain.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 80) || "figure"}.${ending}`;
};
const save = (blob, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
const copy = async (text, at) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a browser that lets no page of a file write the clipboard
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) { at.textContent = "the browser forbids it"; return; }
  }
  at.textContent = "copied";
};
// A text that a spreadsheet would take for a formula gets an apostrophe.
const cell = (value) => (value === null ? "" : typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value));
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
function exports(names, rows, title) {
  const about = (title ?? "table").split(/[;.,]/)[0];
  const csv = () => [names, ...rows()].map((row) => row.map((value) => quoted(cell(value))).join(",")).join("\r\n");
  const tabs = () => [names, ...rows()].map((row) => row.map((value) => cell(value).replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n");
  return [
    button("CSV", `save as CSV: ${about}`, () => save(new Blob(["\ufeff", csv(), "\r\n"], { type: "text/csv" }), fileName(about, "csv"))),
    button("copy", `copy: ${about}`, (event) => copy(tabs(), event.currentTarget)),
  ];
}
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin", "font-family", "font-size", "font-weight"];
const alone = (svg) => { // a copy that needs nothing of the page: shared parts and styles are written into it
  const made = svg.cloneNode(true), box = svg.viewBox.baseVal;
  made.classList.add("paper");
  for (const use of made.querySelectorAll("use")) {
    const shared = document.getElementById(use.getAttribute("href").slice(1)).cloneNode(true);
    shared.removeAttribute("id");
    use.replaceWith(shared);
  }
  for (const link of made.querySelectorAll("a")) link.remove();
  svg.after(made);
  for (const element of made.querySelectorAll("*")) {
    const style = getComputedStyle(element);
    for (const name of STYLES) element.setAttribute(name, style.getPropertyValue(name));
    if (element.tagName === "image") element.setAttribute("style", "image-rendering: pixelated");
  }
  made.remove();
  made.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  made.setAttribute("width", box.width * 2);
  made.setAttribute("height", box.height * 2);
  return new XMLSerializer().serializeToString(made);
};
const asPng = async (address, name, larger) => {
  const image = new Image(), canvas = document.createElement("canvas");
  image.src = address;
  await image.decode();
  canvas.width = image.naturalWidth * larger;
  canvas.height = image.naturalHeight * larger;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save(blob, name), "image/png");
};
const SVG = "data:image/svg+xml,";
const saveable = (figure) => {
  const image = figure.querySelector("img"), svg = figure.querySelector("svg"), canvas = figure.querySelector("canvas"), tools = document.createElement("div");
  const text = (figure.querySelector("figcaption")?.textContent ?? "").split(/[;.:]/)[0];
  const heading = figure.closest(".unit")?.querySelector("h3") ?? [...document.querySelectorAll("h2, h3")].filter((head) => head.compareDocumentPosition(figure) & Node.DOCUMENT_POSITION_FOLLOWING).pop();
  const about = svg ? `${heading?.textContent ?? ""} ${figure.classList.contains("panel") ? text : ""}` : heading?.textContent ?? text;
  tools.className = "saves";
  const source = () => (svg ? SVG + encodeURIComponent(alone(svg)) : image.src);
  if (canvas) {
    tools.append(button("PNG", `save as PNG: ${about}`, () => asPng(canvas.toDataURL(), fileName(about, "png"), 1)));
  } else if (svg || image.src.startsWith(SVG)) {
    tools.append(button("SVG", `save as SVG: ${about}`, () => save(new Blob([decodeURIComponent(source().slice(SVG.length))], { type: "image/svg+xml" }), fileName(about, "svg"))));
    tools.append(button("PNG", `save as PNG: ${about}`, () => asPng(source(), fileName(about, "png"), 2)));
  } else tools.append(button("PNG", `save as PNG: ${about}`, () => asPng(source(), fileName(about, "png"), 1)));
  figure.append(tools);
};
for (const figure of document.querySelectorAll("figure:not(.panel)")) saveable(figure);
