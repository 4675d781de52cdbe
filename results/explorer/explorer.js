// The explorer: networks, time, colours, selection, and the panel of one neuron. All texts are set as text, never as HTML.
"use strict";
(() => {
  const DATA = window.EVOSCOPE, NONE = 65535, SECONDS = 1.1;
  const by = (id) => document.getElementById(id);

  // --- data ------------------------------------------------------------------------------------------------------------

  function unpacked(text, kind) {
    const raw = atob(text), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new kind(bytes.buffer);
  }

  let offset = 0;
  for (const run of DATA.runs) {
    run.offset = offset;
    offset += run.neurons;
    run.layer = unpacked(run.layer, Uint16Array);
    run.channel = unpacked(run.channel, Uint16Array);
    run.concept = unpacked(run.concept, Uint16Array);
    run.hidden = new Set();
    for (const look of run.looks) {
      look.xy = unpacked(look.xy, Float32Array);
      for (const name of ["coverage", "status", "auc", "places"]) look[name] = unpacked(look[name], Uint8Array);
      for (const name of ["concept", "images"]) look[name] = unpacked(look[name], Uint16Array);
      look.near = look.near.map((each) => unpacked(each, Int32Array));
    }
  }
  const TOTAL = offset, STIMULI = (run) => run.looks[0].images.length / run.neurons;
  const EPOCHS = [...new Set(DATA.runs.flatMap((run) => run.looks.map((look) => look.epoch)))].sort((a, b) => a - b);
  const epochName = (epoch) => (epoch === -3 ? "as it is" : epoch < 0 ? "start" : String(epoch));  // before training
  const runOf = (point) => DATA.runs.find((run) => point < run.offset + run.neurons);
  const nameOf = (run, i) => `${run.name}/${run.layers[run.layer[i]]}#${run.channel[i]}`;

  // The state of a run at a time on the slider: the last look at or before that epoch (its first, before that).
  function lookAt(run, step) {
    let found = 0;
    run.looks.forEach((look, row) => { if (look.epoch <= EPOCHS[step]) found = row; });
    return run.looks[found];
  }

  function pointOf(text) {
    const match = /^(.+?)\/(.+)#(\d+)$/.exec(text.trim());
    const run = match && DATA.runs.find((each) => each.name === match[1]);
    if (!run) return -1;
    for (let i = 0; i < run.neurons; i++)
      if (run.channel[i] === Number(match[3]) && run.layers[run.layer[i]] === match[2]) return run.offset + i;
    return -1;
  }

  // --- images: scripts that are loaded when one of theirs is shown --------------------------------------------------------

  const chunks = new Map();
  window.EVOSCOPE_IMAGES = (number, held) => chunks.get(number).done(held);
  function chunk(number) {
    if (!chunks.has(number)) {
      const entry = {};
      entry.ready = new Promise((done, failed) => {
        entry.done = done;
        const script = document.createElement("script");
        script.src = `images-${String(number).padStart(3, "0")}.js`;
        script.onerror = failed;
        document.body.append(script);
      });
      chunks.set(number, entry);
    }
    return chunks.get(number).ready;
  }

  function element(tag, name = "", text = "") {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text) made.textContent = text;
    return made;
  }

  // A patch: the part of an image around the place where the neuron answers most.
  function patch(run, look, i, rank, size) {
    const made = element("div", size < 60 ? "patch small" : "patch"), at = i * STIMULI(run) + rank;
    const image = look.images[at];
    made.setAttribute("role", "img");
    if (image === NONE) { made.setAttribute("aria-label", "no image"); return made; }
    made.setAttribute("aria-label", `image ${rank + 1}`);
    made.dataset.image = image;
    const whole = size / DATA.patch;
    const [y, x] = [0, 1].map((axis) => Math.min(Math.max(look.places[2 * at + axis] / 255 * whole - size / 2, 0), whole - size));
    made.style.backgroundSize = `${whole}px ${whole}px`;
    made.style.backgroundPosition = `${-x}px ${-y}px`;
    chunk(Math.floor(image / DATA.images.chunk)).then((held) => {
      made.style.backgroundImage = `url("data:image/webp;base64,${held[image % DATA.images.chunk]}")`;
    }, () => { made.textContent = "?"; });
    return made;
  }

  // --- colours -----------------------------------------------------------------------------------------------------------

  const CATEGORIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#5254a3", "#b5cf6b", "#ad494a"];
  const RAMP = ["#2b2c7c", "#2f6fa7", "#2ba39b", "#7fc765", "#f2d43d"];
  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  function ramp(share) {
    const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1), low = Math.min(Math.floor(at), RAMP.length - 2);
    const [a, b] = [channels(RAMP[low]), channels(RAMP[low + 1])];
    return a.map((value, n) => Math.round(value + (b[n] - value) * (at - low)));
  }
  const STATUS = ["alive", "dead", "constant", "not a number"];
  const named = (names) => names.map((name, n) => [name, CATEGORIES[n % CATEGORIES.length]]);
  const graded = (low, high) => [[low, RAMP[0]], ["", RAMP[2]], [high, RAMP[4]]];
  const GREY = "#9a9a9a";
  // Concepts that most neurons have get a colour each.
  const counts = new Map();
  DATA.runs.forEach((run) => run.looks[run.looks.length - 1].concept.forEach((c) => { if (c !== NONE) counts.set(c, (counts.get(c) || 0) + 1); }));
  const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, CATEGORIES.length).map(([c]) => c);
  const conceptColour = (c) => (common.includes(c) ? CATEGORIES[common.indexOf(c)] : GREY);
  const MODES = {
    model: { label: "network", of: (run) => channels(run.colour), legend: () => DATA.runs.map((run) => [run.label, run.colour]) },
    layer: { label: "depth of layer", of: (run, look, i) => ramp(run.layer[i] / Math.max(1, run.layers.length - 1)), legend: () => graded("first layer", "last layer") },
    coverage: { label: "coverage", of: (run, look, i) => ramp(look.coverage[i] / 255), legend: () => graded("no stimulus in the space", "all") },
    status: { label: "alive or dead", of: (run, look, i) => channels(CATEGORIES[look.status[i]]), legend: () => named(STATUS) },
  };
  if (DATA.concepts.length) {
    MODES.concept = { label: "known concept", of: (run, look, i) => channels(look.concept[i] === NONE ? GREY : conceptColour(look.concept[i])),
      legend: () => [...common.map((c) => [DATA.concepts[c], conceptColour(c)]), ["others and none", GREY]] };
    MODES.auc = { label: "AUC of its last concept", of: (run, look, i) => (look.auc[i] ? ramp((look.auc[i] / 255 - 0.5) * 2) : channels(GREY)),
      legend: () => [["none", GREY], ...graded("0.5", "1")] };
  }

  // --- maps --------------------------------------------------------------------------------------------------------------

  const state = { time: EPOCHS.length - 1, other: 0, colour: "model", chosen: -1, hovered: -1, selected: new Set(), playing: false, brushing: false };
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
    listen(map);
    fit(map);
    return map;
  }

  // The whole map in sight: the middle 99 % of all places.
  function fit(map) {
    map.resize();
    const xs = [], ys = [];
    for (const run of DATA.runs) for (const look of run.looks) for (let i = 0; i < run.neurons; i++)
      if (look.xy[2 * i] === look.xy[2 * i]) { xs.push(look.xy[2 * i]); ys.push(look.xy[2 * i + 1]); }
    if (!xs.length) return;
    const ends = (values) => { const v = Float32Array.from(values).sort(); return [v[Math.floor(v.length * .005)], v[Math.ceil(v.length * .995) - 1]]; };
    const [[left, right], [low, high]] = [ends(xs), ends(ys)];
    const aspect = map.canvas.width / map.canvas.height;
    map.view = { x: (left + right) / 2, y: (low + high) / 2, width: 1.12 * Math.max(right - left, (high - low) * aspect, 1e-3) };
  }

  const timeOf = (map) => (map.second ? state.other : state.time);

  // Places at both ends of the present step, colours and sizes.
  function fill(map) {
    const time = timeOf(map), step = Math.min(Math.floor(time), EPOCHS.length - 1), next = Math.min(step + 1, EPOCHS.length - 1);
    const start = new Float32Array(2 * TOTAL), end = new Float32Array(2 * TOTAL), sizes = new Float32Array(TOTAL), tint = new Uint8Array(4 * TOTAL);
    const mode = MODES[state.colour], some = state.selected.size > 0;
    for (const run of DATA.runs) {
      const before = lookAt(run, step), after = lookAt(run, next);
      start.set(before.xy, 2 * run.offset);
      end.set(after.xy, 2 * run.offset);
      for (let i = 0; i < run.neurons; i++) {
        const point = run.offset + i, chosen = state.selected.has(point);
        sizes[point] = hiddenAt(run, i) ? 0 : chosen ? 9 : 5;
        tint.set(mode.of(run, before, i), 4 * point);
        tint[4 * point + 3] = some && !chosen ? 50 : 215;
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

  // --- the panel of a neuron -------------------------------------------------------------------------------------------------

  let shownNow = "";
  function show(point) {
    const panel = by("neuron"), step = Math.round(state.time), key = `${point} ${step}`;
    if (key === shownNow) return;
    shownNow = key;
    panel.replaceChildren();
    if (point < 0) { panel.append(element("p", "quiet", "Point at a neuron, or choose one, to see what excites it.")); return; }
    const run = runOf(point), i = point - run.offset, look = lookAt(run, step);
    const title = element("h2"), dot = element("span", "dot");
    dot.style.background = run.colour;
    title.append(dot, ` ${run.layers[run.layer[i]]}#${run.channel[i]}`);
    panel.dataset.neuron = nameOf(run, i);
    panel.append(title, element("p", "quiet", `${run.label}, epoch ${epochName(look.epoch)}, ${STATUS[look.status[i]]}`));
    const told = [`${Math.round(look.coverage[i] / 2.55)} % of its stimuli are in the space`];
    if (look.concept[i] !== NONE) told.unshift(`tells “${DATA.concepts[look.concept[i]]}”`);
    if (look.xy[2 * i] !== look.xy[2 * i]) told.push("not placed");
    panel.append(element("p", "", told.join("; ")));
    const first = element("div", "patches");
    for (let rank = 0; rank < STIMULI(run); rank++) first.append(patch(run, look, i, rank, 68));
    panel.append(element("h3", "", "What excites it"), first);
    if (run.looks.length > 1) panel.append(element("h3", "", "Over the epochs"), strip(run, i));
    if (run.concept[i] !== NONE) panel.append(element("h3", "", `AUC of “${DATA.concepts[run.concept[i]]}”`), curve(run, i));
    panel.append(element("h3", "", "Nearest in the other networks"));
    run.others.forEach((name, row) => {
      const other = DATA.runs.find((each) => each.name === name), found = look.near[row][i];
      if (!other || found < 0) return;
      const last = other.looks[other.looks.length - 1], button = element("button", "near");
      button.type = "button";
      const mark_ = element("span", "dot");
      mark_.style.background = other.colour;
      button.append(patch(other, last, found, 0, 44), patch(other, last, found, 1, 44), mark_,
        element("span", "", `${other.label} ${other.layers[other.layer[found]]}#${other.channel[found]}`));
      button.addEventListener("click", () => choose(other.offset + found));
      panel.append(button);
    });
  }

  function strip(run, i) {
    const grid = element("div", "strip");
    for (const look of run.looks) {
      const row = element("div", "patches");
      for (let rank = 0; rank < Math.min(STIMULI(run), 4); rank++) row.append(patch(run, look, i, rank, 44));
      grid.append(element("span", "quiet", epochName(look.epoch)), row);
    }
    return grid;
  }

  function curve(run, i) {
    const space = "http://www.w3.org/2000/svg", width = 260, height = 70;
    const drawing = document.createElementNS(space, "svg");
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    drawing.setAttribute("role", "img");
    const values = run.looks.map((look) => look.auc[i] / 255);
    drawing.setAttribute("aria-label", `AUC per epoch: ${values.map((v) => v.toFixed(2)).join(", ")}`);
    const x = (n) => 30 + (values.length > 1 ? n / (values.length - 1) : .5) * (width - 45), y = (v) => 8 + (1 - v) * (height - 24);
    const add = (tag, attributes, text) => {
      const made = document.createElementNS(space, tag);
      Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
      if (text) made.textContent = text;
      drawing.append(made);
    };
    for (const level of [0.5, 1]) {
      add("line", { x1: 30, x2: width - 10, y1: y(level), y2: y(level), stroke: "currentColor", "stroke-opacity": .25 });
      add("text", { x: 4, y: y(level) + 3 }, String(level));
    }
    add("polyline", { points: values.map((v, n) => `${x(n)},${y(v)}`).join(" "), fill: "none", stroke: run.colour, "stroke-width": 2 });
    values.forEach((v, n) => {
      add("circle", { cx: x(n), cy: y(v), r: 3, fill: run.colour });
      add("text", { x: x(n), y: height - 2, "text-anchor": "middle" }, epochName(run.looks[n].epoch));
    });
    return drawing;
  }

  // --- time ----------------------------------------------------------------------------------------------------------------

  function atTime(time) {
    state.time = time;
    by("slider").value = String(time);
    by("epoch").textContent = epochName(EPOCHS[Math.round(time)]);
    DATA.runs.forEach((run, n) => {
      const accuracy = lookAt(run, Math.round(time)).accuracy, bar = by("bars").children[n];
      bar.querySelector("b").style.width = `${100 * accuracy}%`;
      bar.lastChild.textContent = `${Math.round(100 * accuracy)} %`;
    });
    if (state.chosen >= 0) show(state.chosen);
    refresh();
  }

  let last = 0;
  function advance(now) {
    if (!state.playing) return;
    const step = state.time + Math.min(now - last, 100) / 1000 / SECONDS;
    last = now;
    atTime(Math.min(step, EPOCHS.length - 1));
    if (step >= EPOCHS.length - 1) play(false);
    else requestAnimationFrame(advance);
  }

  function play(on) {
    state.playing = on;
    by("play").textContent = on ? "Pause" : "Play";
    by("play").setAttribute("aria-pressed", String(on));
    if (!on) { remember(); return; }
    if (state.time >= EPOCHS.length - 1) atTime(0);
    last = performance.now();
    requestAnimationFrame(advance);
  }

  // --- address: #run=..&epoch=..&neuron=..&colour=.. ---------------------------------------------------------------------------

  function remember() {
    const told = new URLSearchParams({ epoch: EPOCHS[Math.round(state.time)], colour: state.colour });
    if (state.chosen >= 0) {
      const run = runOf(state.chosen), i = state.chosen - run.offset;
      told.set("run", run.name);
      told.set("neuron", `${run.layers[run.layer[i]]}#${run.channel[i]}`);
    }
    history.replaceState(null, "", `#${told}`);
  }

  function recall() {
    const told = new URLSearchParams(location.hash.slice(1)), epoch = EPOCHS.indexOf(Number(told.get("epoch")));
    if (MODES[told.get("colour")]) { state.colour = told.get("colour"); by("colour").value = state.colour; legend(); }
    if (told.has("epoch") && epoch >= 0) atTime(epoch);
    const name = told.get("neuron") || "", point = pointOf(name.includes("/") ? name : `${told.get("run")}/${name}`);
    if (point >= 0) { state.chosen = point; show(point); }
    refresh(true);
  }

  // --- search, selection, view -----------------------------------------------------------------------------------------------

  function find(text) {
    const point = pointOf(text);
    if (point >= 0) { select([]); centre(point); choose(point); return; }
    const wanted = text.trim().toLowerCase(), found = [];
    if (!wanted) { select([]); return; }
    const concepts = new Set(DATA.concepts.flatMap((name, n) => (name.toLowerCase().includes(wanted) ? [n] : [])));
    for (const run of DATA.runs) {
      const look = lookAt(run, Math.round(state.time));
      const layers = new Set(run.layers.flatMap((layer, n) => (`${run.name}/${layer}`.toLowerCase().includes(wanted) ? [n] : [])));
      for (let i = 0; i < run.neurons; i++) if (layers.has(run.layer[i]) || concepts.has(look.concept[i])) found.push(run.offset + i);
    }
    tell(found.length ? `${found.length} neurons` : `Nothing is called “${text}”.`);
    select(found);
    if (found.length) choose(found[0]);
  }

  function centre(point) {
    for (const map of maps) {
      if (map.stale || !map.start) fill(map);
      const [x, y] = map.now(point);
      if (map.sizes[point]) Object.assign(map.view, { x, y });
    }
  }

  const tell = (text) => { by("told").textContent = text; };

  function save() {
    const name = by("region").value || "region", epoch = EPOCHS[Math.round(state.time)];
    const neurons = [...state.selected].map((point) => { const run = runOf(point), i = point - run.offset;
      return { run: run.name, epoch: lookAt(run, Math.round(state.time)).epoch, layer: run.layers[run.layer[i]], channel: run.channel[i] }; });
    const link = element("a");
    link.download = "region.json";
    link.href = URL.createObjectURL(new Blob([JSON.stringify({ name, epoch, neurons }, null, 1)], { type: "application/json" }));
    link.click();
    tell(`${neurons.length} neurons saved as region.json`);
  }

  async function load(file) {
    try {
      const held = JSON.parse(await file.text());
      const points = held.neurons.map((each) => pointOf(`${each.run}/${each.layer}#${each.channel}`)).filter((point) => point >= 0);
      by("region").value = String(held.name || "");
      select(points);
      tell(`${points.length} of ${held.neurons.length} neurons are on this map`);
    } catch { tell("That file holds no region."); }
  }

  function legend() {
    by("legend").replaceChildren(...MODES[state.colour].legend().map(([name, colour]) => {
      const entry = element("span"), dot = element("span", "dot");
      dot.style.background = colour;
      entry.append(dot, ` ${name}`);
      return entry;
    }));
  }

  function boxes() {
    for (const run of DATA.runs) {
      const add = (text, key, kind) => {
        const label = element("label", kind), box = element("input");
        box.type = "checkbox";
        box.checked = true;
        box.addEventListener("change", () => { if (box.checked) run.hidden.delete(key); else run.hidden.add(key); refresh(true); });
        label.append(box, ` ${text}`);
        by("shown").append(label);
      };
      add(run.label, "", "");
      run.layers.forEach((layer, n) => add(layer, n, "layer"));
    }
  }

  function begin() {
    document.title = `Evoscope: ${DATA.title}`;
    by("title").textContent = `${DATA.title}, ${TOTAL.toLocaleString("en")} neurons, ${EPOCHS.length} epochs`;
    for (const [name, mode] of Object.entries(MODES)) { const option = element("option", "", mode.label); option.value = name; by("colour").append(option); }
    by("hints").append(...DATA.concepts.map((name) => { const option = element("option"); option.value = name; return option; }));
    for (const name of ["slider", "other"]) by(name).max = String(EPOCHS.length - 1);
    by("bars").append(...DATA.runs.map((run) => {
      const bar = element("span", "bar"), rail = element("i"), full = element("b");
      full.style.background = run.colour;
      rail.append(full);
      bar.append(element("span", "", run.label), rail, element("span", "quiet"));
      return bar;
    }));
    boxes();
    addMap(false);
    by("slider").addEventListener("input", () => { play(false); atTime(Number(by("slider").value)); });
    by("slider").addEventListener("change", () => { atTime(Math.round(state.time)); remember(); });
    by("other").addEventListener("input", () => { state.other = Number(by("other").value); refresh(); });
    by("play").addEventListener("click", () => play(!state.playing));
    by("colour").addEventListener("change", () => { state.colour = by("colour").value; legend(); remember(); refresh(true); });
    for (const name of ["density", "trails"]) by(name).addEventListener("change", () => refresh());
    by("compare").addEventListener("change", compare);
    by("reset").addEventListener("click", () => { maps.forEach(fit); refresh(); });
    by("search").addEventListener("submit", (event) => { event.preventDefault(); find(by("query").value); });
    by("brush").addEventListener("click", () => { state.brushing = !state.brushing; by("brush").setAttribute("aria-pressed", String(state.brushing)); });
    by("save").addEventListener("click", save);
    by("clear").addEventListener("click", () => { select([]); choose(-1); });
    by("load").addEventListener("change", () => { if (by("load").files[0]) load(by("load").files[0]); });
    by("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme !== "dark"));
    theme(matchMedia("(prefers-color-scheme: dark)").matches);
    addEventListener("resize", () => refresh());
    addEventListener("hashchange", recall);
    legend();
    atTime(EPOCHS.length - 1);
    recall();
  }

  function theme(dark) {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    refresh();
  }

  // A second map of the first epoch, which keeps the same selection.
  function compare() {
    by("maps").classList.toggle("two", by("compare").checked);
    by("second").hidden = !by("compare").checked;
    if (by("compare").checked) addMap(true);
    else maps.splice(1).forEach((map) => map.box.remove());
    maps.forEach((map) => { map.resize(); fit(map); });
    refresh(true);
  }

  begin();
  window.EXPLORER = { state, maps, pointOf, choose, atTime };  // for the tests
})();
