// The maps: what is shown of the points now, rings and trails above them, and what pointer and keys do.
"use strict";

const SIZES = { neurons: [5, 9], vectors: [11, 15] };  // of a point, and of one that is selected

const state = { time: EPOCHS.length - 1, other: 0, colour: "model", which: "", told: -1, chosen: -1, hovered: -1,
  selected: new Set(), regions: [], playing: false, brushing: false };
const maps = [];
const hiddenAt = (run, i) => run.hidden.has("") || run.hidden.has(run.layer[i]);

function addMap(second) {
  const box = element("div", "map"), canvas = element("canvas"), over = element("canvas", "over"), name = element("div", "name");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Map of neurons: arrow keys move it, plus and minus zoom");
  box.append(canvas, over, name);
  by("maps").append(box);
  const map = new window.PointMap(canvas);
  Object.assign(map, { second, over, name, box, step: -1, stale: true });
  maps.push(map);
  new ResizeObserver(() => refresh()).observe(box);
  listen(map);
  fit(map);
  return map;
}

// The whole map in sight: the middle 99 % of all places.
function fit(map) {
  map.resize();
  const xs = [], ys = [];
  for (const run of NETWORKS) for (const look of run.looks) for (let i = 0; i < run.neurons; i++)
    if (look.xy[2 * i] === look.xy[2 * i]) { xs.push(look.xy[2 * i]); ys.push(look.xy[2 * i + 1]); }
  if (!xs.length) return;
  const ends = (values) => { const v = Float32Array.from(values).sort(); return [v[Math.floor(v.length * .005)], v[Math.ceil(v.length * .995) - 1]]; };
  const [[left, right], [low, high]] = [ends(xs), ends(ys)];
  const aspect = map.canvas.width / map.canvas.height;
  map.view = { x: (left + right) / 2, y: (low + high) / 2, width: 1.2 * Math.max(right - left, (high - low) * aspect, 1e-3) };
}

const timeOf = (map) => (map.second ? state.other : state.time);

// Places at both ends of the present step, colours and sizes.
function fill(map) {
  const time = timeOf(map), step = Math.min(Math.floor(time), EPOCHS.length - 1), next = Math.min(step + 1, EPOCHS.length - 1);
  const start = new Float32Array(2 * TOTAL), end = new Float32Array(2 * TOTAL), sizes = new Float32Array(TOTAL), tint = new Uint8Array(4 * TOTAL);
  const mode = MODES[state.colour], some = state.selected.size > 0;
  for (const run of DATA.runs) {
    const before = lookAt(run, step), after = lookAt(run, next), turn = run.kind === "vectors" ? -1 : 1;
    start.set(before.xy, 2 * run.offset);
    end.set(after.xy, 2 * run.offset);
    for (let i = 0; i < run.neurons; i++) {
      const point = run.offset + i, chosen = state.selected.has(point);
      sizes[point] = hiddenAt(run, i) ? 0 : turn * SIZES[run.kind][chosen ? 1 : 0];
      const shade = mode.of(run, before, i, state.which), at = 4 * point;
      tint[at] = shade[0]; tint[at + 1] = shade[1]; tint[at + 2] = shade[2]; tint[at + 3] = some && !chosen ? 50 : 215;
    }
  }
  map.place(start, end, sizes);
  map.colours(tint);
  Object.assign(map, { step, stale: false });
}

function paint(map) {
  map.resize();
  const time = timeOf(map), step = Math.min(Math.floor(time), EPOCHS.length - 1);
  if (map.stale || map.step !== step) fill(map);
  map.share = time - step;
  map.opacity = by("density").checked ? 0.16 : 1;
  map.ink = document.documentElement.dataset.theme === "dark" ? [0.93, 0.93, 0.93] : [0.13, 0.13, 0.13];
  map.draw();
  map.name.textContent = maps.length > 1 ? `Epoch ${epochName(EPOCHS[Math.round(time)])}` : "";
  mark(map);
}

// Rings and trails, on a canvas above the points.
function mark(map) {
  const over = map.over, pen = over.getContext("2d"), ratio = map.ratio;
  over.width = map.canvas.width;
  over.height = map.canvas.height;
  pen.scale(ratio, ratio);
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink");
  pen.strokeStyle = ink;
  if (by("trails").checked) {
    const followed = [...state.selected].slice(0, 200);
    if (state.chosen >= 0) followed.push(state.chosen);
    for (const point of followed) trail(map, pen, point);
  }
  for (const [point, size, wide] of [[state.chosen, 9, 2.5], [state.hovered, 7, 1.5]]) {
    if (point < 0 || !map.sizes[point]) continue;
    const [x, y] = map.toPage(map.now(point));
    pen.lineWidth = wide;
    pen.beginPath();
    pen.arc(x, y, size, 0, 7);
    pen.stroke();
  }
  if (map.box_) {
    const [[a, b], [c, d]] = map.box_;
    pen.lineWidth = 1;
    pen.setLineDash([4, 3]);
    pen.strokeRect(a, b, c - a, d - b);
    pen.setLineDash([]);
  }
}

function trail(map, pen, point) {
  const run = runOf(point), i = point - run.offset;
  const places = run.looks.map((look) => [look.xy[2 * i], look.xy[2 * i + 1]]).filter(([x]) => x === x);
  pen.globalAlpha = point === state.chosen ? 0.9 : 0.35;
  pen.lineWidth = point === state.chosen ? 1.5 : 1;
  pen.beginPath();
  places.forEach((place, n) => { const [x, y] = map.toPage(place); if (n) pen.lineTo(x, y); else pen.moveTo(x, y); });
  pen.stroke();
  pen.globalAlpha = 1;
}

let asked = false;
function refresh(stale = false) {
  if (stale) maps.forEach((map) => { map.stale = true; });
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; maps.forEach(paint); });
}

// --- pointer and keys ----------------------------------------------------------------------------------------------------

function listen(map) {
  const held = new Map(), canvas = map.canvas;
  let moved = 0;
  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, at(event));
    moved = 0;
    if (event.shiftKey || state.brushing) map.box_ = [at(event), at(event)];
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId), now = at(event);
    if (!before) { hover(map.nearest(now, 10)); return; }
    moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (map.box_) map.box_[1] = now;
    else if (held.size === 2) {
      const other = [...held].find(([id]) => id !== event.pointerId)[1];
      const far = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      map.zoom([(now[0] + other[0]) / 2, (now[1] + other[1]) / 2], far(before) / far(now));
    } else map.pan(now[0] - before[0], now[1] - before[1]);
    held.set(event.pointerId, now);
    refresh();
  });
  const released = (event) => {
    held.delete(event.pointerId);
    if (map.box_) {
      const [one, other] = map.box_;
      map.box_ = null;
      if (moved > 4) { select(map.within(one, other)); return; }
    }
    if (event.type === "pointerup" && moved <= 4) choose(map.nearest(at(event), event.pointerType === "touch" ? 22 : 12));
    refresh();
  };
  canvas.addEventListener("pointerup", released);
  canvas.addEventListener("pointercancel", released);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); map.zoom(at(event), Math.exp(event.deltaY * 0.0015)); refresh(); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    const box = canvas.getBoundingClientRect(), middle = [box.width / 2, box.height / 2];
    if (moves[event.key]) map.pan(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") map.zoom(middle, 0.8);
    else if (event.key === "-") map.zoom(middle, 1.25);
    else if (event.key === "Enter") choose(map.nearest(middle, 60));
    else return;
    event.preventDefault();
    refresh();
  });
}

function hover(point) {
  if (point === state.hovered) return;
  state.hovered = point;
  refresh();
  if (point >= 0) show(point);
  else if (state.chosen >= 0) show(state.chosen);
}

function choose(point) {
  state.chosen = point;
  show(point);
  remember();
  refresh();
}

function select(points) {
  state.selected = new Set(points);
  by("count").textContent = String(points.length);
  refresh(true);
}

