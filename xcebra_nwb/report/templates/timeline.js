// The whole recording, zoomed to single bins: each column of the screen spans the lowest to the highest value of its bins.
const TRACK = { use: 18, classes: 18, line: 54, circle: 54 }, HEAD = 16, LEFT_EDGE = 4;
const USE_COLORS = ["#ffffff", "#e8c37a", "#8db8dc", "#0b4f8a"], OTHER = "#d3d8dd";
const CLASS_COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#4d4d4d", "#b8a800"];
const startTimeline = async (figure) => {
  const said = JSON.parse(figure.querySelector("script").textContent), canvas = figure.querySelector("canvas"), n = Math.ceil(said.bins / said.step);
  const bytes = new Uint8Array(await inflated(said.packed).arrayBuffer());
  let offset = 0;
  const column = () => {
    const values = bytes.subarray(offset, (offset += n));
    for (let i = 1; i < n; i++) values[i] = (values[i] + values[i - 1]) & 255;
    return values;
  };
  const tracks = said.tracks.map((track) => { const low = column(); return { ...track, lowest: low, highest: track.columns > 1 ? column() : low, height: TRACK[track.kind] }; });
  const tall = tracks.reduce((sum, track) => sum + track.height + HEAD, 24);
  canvas.style.height = `${tall}px`;
  let from = 0, to = n, asked = 0, pressed = null, dragged = null;
  const seconds = (item) => said.first + item * said.step * said.width;
  const status = figure.querySelector("output");
  const color = (track, code) => (track.kind === "use" ? USE_COLORS[code] ?? OTHER : CLASS_COLORS[code % CLASS_COLORS.length]);
  const drawCodes = (pen, track, top, width) => {
    const each = (to - from) / width;
    for (let px = 0; px < width; px++) {
      const code = track.lowest[Math.min(n - 1, Math.floor(from + (px + 0.5) * each))];
      if (!code) continue;
      pen.fillStyle = color(track, code - 1);
      pen.fillRect(px, top, 1.2, track.height);
    }
  };
  const drawLine = (pen, track, top, width) => {
    const each = (to - from) / width, high = track.height - 3, at = (level) => top + 1 + high * (1 - (level - 1) / 254);
    pen.fillStyle = ink("--accent");
    if (each >= 1) {
      for (let px = 0; px < width; px++) {
        let low = 255, most = 0;
        for (let i = Math.floor(from + px * each), end = Math.min(n, Math.floor(from + (px + 1) * each)); i < end; i++) {
          if (track.lowest[i] && track.lowest[i] < low) low = track.lowest[i];
          if (track.highest[i] > most) most = track.highest[i];
        }
        if (most) pen.fillRect(px, at(most), 1.2, Math.max(1.2, at(low) - at(most)));
      }
      return;
    }
    for (let i = Math.floor(from); i < Math.min(n, Math.ceil(to)); i++) {
      if (track.highest[i]) pen.fillRect((i - from) / each, at(track.highest[i]), 1 / each, Math.max(1.6, at(track.lowest[i]) - at(track.highest[i])));
    }
  };
  const drawTimes = (pen, width, bottom) => {
    const span = seconds(to) - seconds(from), rough = span / Math.max(3, width / 110), power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
    pen.fillStyle = ink("--muted");
    for (let time = Math.ceil(seconds(from) / step) * step; time <= seconds(to); time += step) {
      const px = (time - seconds(from)) / span * width;
      pen.fillRect(px, bottom, 1, 4);
      pen.fillText(`${written(Number(time.toPrecision(6)))} s`, Math.min(px + 3, width - 44), bottom + 15);
    }
  };
  const draw = () => {
    asked = 0;
    const { pen, width } = fitted(canvas), wide = Math.floor(width);
    pen.clearRect(0, 0, width, tall);
    pen.font = "11px system-ui, sans-serif";
    let top = 0;
    for (const track of tracks) {
      pen.fillStyle = ink("--muted");
      const range = track.names ? "" : ` (${two(track.low)} to ${two(track.high)} ${track.units})`.replace(" )", ")");
      pen.fillText(`${track.name}${range}`, LEFT_EDGE, top + 12);
      top += HEAD;
      pen.fillStyle = ink("--soft");
      pen.fillRect(0, top, width, track.height);
      (track.names ? drawCodes : drawLine)(pen, track, top, wide);
      top += track.height;
    }
    drawTimes(pen, width, top);
    if (dragged) {
      pen.fillStyle = "rgba(11, 95, 165, .18)";
      pen.fillRect(Math.min(...dragged), 0, Math.abs(dragged[1] - dragged[0]), top);
    }
    canvas.dataset.view = `${Math.round(from)} ${Math.round(to)}`;
  };
  const redraw = () => { asked ||= requestAnimationFrame(draw); };
  const see = (start, stop) => {
    const span = Math.max(Math.min(20, n), Math.min(n, stop - start));
    from = Math.max(0, Math.min(n - span, start));
    to = from + span;
    status.textContent = `${written(Number(seconds(from).toFixed(1)))} to ${written(Number(seconds(to).toFixed(1)))} s`;
    redraw();
  };
  const zoom = (by, middle = (from + to) / 2) => see(middle - (middle - from) * by, middle + (to - middle) * by);
  const pan = (share) => see(from + share * (to - from), to + share * (to - from));
  const actions = { "zoom in": () => zoom(0.5), "zoom out": () => zoom(2), earlier: () => pan(-0.5), later: () => pan(0.5), whole: () => see(0, n) };
  for (const made of figure.querySelectorAll("button.view")) made.addEventListener("click", () => actions[made.textContent]());
  canvas.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), Home: actions.whole };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  const place = (event) => event.clientX - canvas.getBoundingClientRect().left;
  canvas.addEventListener("pointerdown", (event) => { pressed = place(event); canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointercancel", () => { pressed = dragged = null; redraw(); });
  canvas.addEventListener("pointerup", () => {
    const width = canvas.getBoundingClientRect().width, [a, b] = (dragged ?? [0, 0]).map((px) => from + (to - from) * px / width);
    if (dragged && Math.abs(dragged[1] - dragged[0]) > 6) see(Math.min(a, b), Math.max(a, b));
    pressed = dragged = null;
    redraw();
  });
  canvas.addEventListener("dblclick", actions.whole);
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect(), px = Math.max(0, Math.min(box.width - 1, place(event)));
    if (pressed !== null) { dragged = [pressed, px]; tell(""); redraw(); return; }
    const item = Math.min(n - 1, Math.floor(from + (to - from) * px / box.width)), lines = [`${written(Number(seconds(item + 0.5).toFixed(2)))} s`];
    for (const track of tracks) {
      const level = track.highest[item];
      if (track.names) lines.push(`${track.name}: ${level ? track.names[level - 1] : "–"}`);
      else {
        const value = (each) => two(track.low + (track.high - track.low) * (each - 1) / 254);
        const range = track.lowest[item] === level ? value(level) : `${value(track.lowest[item])} to ${value(level)}`;
        lines.push(`${track.name}: ${level ? `about ${range} ${track.units}`.trim() : "–"}`);
      }
    }
    tell(lines.join("\n"), event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => tell(""));
  new ResizeObserver(redraw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  see(0, n);
  figure.dataset.ready = "yes";
};
for (const figure of document.querySelectorAll("figure.timeline")) {
  figure.hidden = false;
  whenSeen(figure, () => startTimeline(figure));
}
