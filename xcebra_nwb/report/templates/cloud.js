// A block of the embedding in space: turned by dragging or by the arrow keys, coloured by label, time or use, played through time.
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const fitted = (canvas) => { // a canvas as sharp as the screen; what was drawn is lost
  const larger = devicePixelRatio || 1, { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.round(width * larger);
  canvas.height = Math.round(height * larger);
  const pen = canvas.getContext("2d");
  pen.setTransform(larger, 0, 0, larger, 0, 0);
  return { pen, width, height };
};
const whenSeen = (element, action) => {
  const watch = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) { watch.disconnect(); action(); }
  }, { rootMargin: "400px" });
  watch.observe(element);
};
const TIMES = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis
const SETS = [[141, 184, 220], [200, 80, 30]];
const mixed = (share) => {
  const at = Math.min(0.9999, Math.max(0, share)) * (TIMES.length - 1), low = Math.floor(at);
  return TIMES[low].map((channel, i) => Math.round(channel + (TIMES[low + 1][i] - channel) * (at - low)));
};
const TURN = 0.09, WINDOW = 0.03; // rad a key; share of the time that is played at once
const startCloud = async (figure) => {
  const said = JSON.parse(figure.querySelector("script").textContent), n = said.points, canvas = figure.querySelector("canvas");
  const bytes = await inflated(said.packed).arrayBuffer();
  let offset = 0;
  const wide = () => { const column = new Uint16Array(bytes, offset, n); offset += 2 * n; return column; };
  const narrow = (size) => { const column = new Uint8Array(bytes, offset, size * n); offset += size * n; return column; };
  const places = Array.from({ length: said.members }, () => [wide(), wide(), wide()].map((axis) => Float32Array.from(axis, (level) => 2 * (level / 32767.5 - 1))));
  const time = wide(), values = said.axes.map(wide), colors = places.map(() => narrow(3)), held = narrow(1);
  const [by, bins, member, play, at, whole] = ["by", "bins", "member", "play", "at", "whole"].map((name) => figure.querySelector(`.${name}`));
  const clock = figure.querySelector("output"), seconds = (level) => said.time[0] + (said.time[1] - said.time[0]) * level / 65535;
  const START = { yaw: 0.6, pitch: 0.35, zoom: 1 };
  let view = { ...START }, now = null, order = Uint16Array.from({ length: n }, (_, i) => i), playing = 0, drawnAt = 0;
  const x = new Float32Array(n), y = new Float32Array(n), depth = new Float32Array(n), shown = new Uint8Array(n);
  const color = (i, who) => (by.value === "time" ? mixed(time[i] / 65535) : by.value === "set" ? SETS[held[i]] : colors[who].subarray(3 * i, 3 * i + 3));
  const draw = () => {
    drawnAt = 0;
    const { pen, width, height } = fitted(canvas), who = Number(member?.value ?? 0), [px, py, pz] = places[who];
    const scale = Math.min(width, height) * 0.44 * view.zoom, [ca, sa, cp, sp] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
    const turned = (a, b, c) => { const side = a * ca + c * sa, back = c * ca - a * sa; return [width / 2 + scale * side, height / 2 - scale * (b * cp - back * sp), b * sp + back * cp]; };
    for (let i = 0; i < n; i++) {
      [x[i], y[i], depth[i]] = turned(px[i], py[i], pz[i]);
      shown[i] = bins.value === "all" || (bins.value === "held") === (held[i] === 1) ? 1 : 0;
    }
    order.sort((a, b) => depth[b] - depth[a]);
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = ink("--line");
    pen.fillStyle = ink("--muted");
    pen.font = "11px system-ui, sans-serif";
    said.shares.forEach((share, axis) => {
      const end = [0, 0, 0];
      end[axis] = 1;
      const [ox, oy] = turned(0, 0, 0), [ex, ey] = turned(...end);
      pen.beginPath();
      pen.moveTo(ox, oy);
      pen.lineTo(ex, ey);
      pen.stroke();
      pen.fillText(`axis ${axis + 1} (${Math.round(100 * share)}%)`, ex + 3, ey - 3);
    });
    const near = now === null ? null : 65535 * WINDOW / 2, dot = Math.max(1.6, Math.min(3.4, 90 / Math.sqrt(n))) * Math.sqrt(view.zoom);
    for (const i of order) {
      if (!shown[i]) continue;
      const inside = near === null || Math.abs(time[i] - now) <= near, [r, g, b] = color(i, who);
      pen.globalAlpha = inside ? 0.9 - 0.4 * Math.min(1, Math.max(0, (depth[i] + 1) / 2)) : 0.1;
      pen.fillStyle = `rgb(${r},${g},${b})`;
      pen.beginPath();
      pen.arc(x[i], y[i], near !== null && inside ? dot * 1.5 : dot, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    if (near === null) return;
    pen.strokeStyle = ink("--ink");
    pen.beginPath();
    let before = -1;
    for (let i = 0; i < n; i++) {
      if (!shown[i] || Math.abs(time[i] - now) > near) continue;
      if (before >= 0 && time[i] - time[before] < near / 2) { pen.moveTo(x[before], y[before]); pen.lineTo(x[i], y[i]); }
      before = i;
    }
    pen.stroke();
  };
  const redraw = () => { drawnAt ||= requestAnimationFrame(draw); };
  const key = () => figure.querySelectorAll(".key").forEach((box) => { box.hidden = box.dataset.by !== by.value; });
  const show = (level) => {
    now = level;
    at.value = level === null ? 0 : level;
    clock.textContent = level === null ? "all times" : `${written(Math.round(seconds(level)))} s`;
    at.setAttribute("aria-valuetext", clock.textContent);
    redraw();
  };
  const stop = () => { cancelAnimationFrame(playing); playing = 0; play.textContent = "play"; };
  const toggle = () => {
    if (playing) { stop(); return; }
    play.textContent = "pause";
    let last = performance.now(), level = now ?? 0;
    const step = (moment) => {
      level += (moment - last) / 20000 * 65535; // the session in 20 s
      last = moment;
      if (level >= 65535) { stop(); show(null); return; }
      show(level);
      playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
  };
  play.addEventListener("click", toggle);
  at.addEventListener("input", () => { stop(); show(Number(at.value)); });
  whole.addEventListener("click", () => { stop(); view = { ...START }; show(null); turn(0, 0); });
  for (const choice of [by, bins, member]) choice?.addEventListener("change", () => { key(); redraw(); });
  const turn = (yaw, pitch, zoom = 1) => {
    view = { yaw: view.yaw + yaw, pitch: Math.max(-1.57, Math.min(1.57, view.pitch + pitch)), zoom: Math.max(0.5, Math.min(12, view.zoom * zoom)) };
    canvas.dataset.view = `${view.yaw.toFixed(2)} ${view.pitch.toFixed(2)} ${view.zoom.toFixed(2)}`;
    redraw();
  };
  canvas.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: [-TURN, 0], ArrowRight: [TURN, 0], ArrowUp: [0, -TURN], ArrowDown: [0, TURN], "+": [0, 0, 1.2], "=": [0, 0, 1.2], "-": [0, 0, 1 / 1.2] };
    if (event.key === " ") toggle();
    else if (event.key === "Home") whole.click();
    else if (keys[event.key]) turn(...keys[event.key]);
    else return;
    event.preventDefault();
  });
  let heldAt = null;
  canvas.addEventListener("pointerdown", (event) => { heldAt = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); tell(""); });
  canvas.addEventListener("pointerup", () => { heldAt = null; });
  canvas.addEventListener("pointercancel", () => { heldAt = null; });
  const value = (i) => {
    if (said.kind === "discrete") return said.classes[values[0][i]] || "(empty)";
    return "about " + said.axes.map(({ name, low, high, units }, axis) => `${said.axes.length > 1 ? name : ""} ${two(low + (high - low) * values[axis][i] / 65535)} ${units}`.trim()).join(", ");
  };
  canvas.addEventListener("pointermove", (event) => {
    if (heldAt) { turn((event.clientX - heldAt[0]) / 120, (event.clientY - heldAt[1]) / 120); heldAt = [event.clientX, event.clientY]; return; }
    const box = canvas.getBoundingClientRect(), ox = event.clientX - box.left, oy = event.clientY - box.top;
    let nearest = -1, least = 100;
    for (let i = 0; i < n; i++) {
      const apart = (x[i] - ox) ** 2 + (y[i] - oy) ** 2;
      if (shown[i] && apart < least) { least = apart; nearest = i; }
    }
    tell(nearest < 0 ? "" : `${written(Number(seconds(time[nearest]).toFixed(1)))} s · ${held[nearest] ? "held out" : "training"}\n${said.label}: ${value(nearest)}`, event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => tell(""));
  new ResizeObserver(redraw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  key();
  show(null);
  turn(0, 0);
  figure.dataset.ready = "yes";
};
for (const figure of document.querySelectorAll("figure.cloud")) {
  figure.hidden = false;
  whenSeen(figure, () => startCloud(figure));
}
