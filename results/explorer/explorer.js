// The page: time, the address, search, selection and regions, and what its controls do. All texts are set as text.
"use strict";

const SECONDS = 1.1;  // between two epochs

// --- time ------------------------------------------------------------------------------------------------------------------

function atTime(time) {
  state.time = time;
  by("slider").value = String(time);
  by("epoch").textContent = epochName(EPOCHS[Math.round(time)]);
  NETWORKS.forEach((run, n) => {
    const accuracy = lookAt(run, Math.round(time)).accuracy, bar = by("bars").children[n], known = accuracy === accuracy;
    bar.querySelector("b").style.width = known ? `${100 * accuracy}%` : "0";
    bar.lastChild.textContent = known ? `${Math.round(100 * accuracy)} %` : "unknown";
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

// --- address: #run=..&epoch=..&neuron=..&colour=..&of=..&class=.. ------------------------------------------------------------

function remember() {
  const told = new URLSearchParams({ epoch: EPOCHS[Math.round(state.time)], colour: state.colour });
  if (state.which) told.set("of", state.which);
  if (state.chosen >= 0) {
    const run = runOf(state.chosen);
    told.set("run", run.name);
    told.set("neuron", nameIn(run, state.chosen - run.offset));
  }
  history.replaceState(null, "", `#${told}`);
}

function recall() {
  const told = new URLSearchParams(location.hash.slice(1)), epoch = EPOCHS.indexOf(Number(told.get("epoch"))), run = setOf(told.get("run"));
  if (MODES[told.get("colour")]) colourBy(told.get("colour"), told.get("of") || "");
  if (told.has("epoch") && epoch >= 0) atTime(epoch);
  const name = told.get("neuron") || "", within = pointOf(`${told.get("run")}/${name}`), point = within >= 0 ? within : pointOf(name);
  if (point >= 0) { state.chosen = point; show(point); } else if (CLASSES.includes(told.get("class"))) showClasses(told.get("class"));
  else if (run) select(Array.from({ length: run.neurons }, (_, i) => run.offset + i));
  refresh(true);
}

// --- search and selection ----------------------------------------------------------------------------------------------------

function find(text) {
  const point = pointOf(text), wanted = text.trim().toLowerCase(), found = [];
  if (point >= 0) { select([]); centre(point); choose(point); return; }
  if (!wanted) { select([]); return; }
  const named = CLASSES.find((name) => name.toLowerCase() === wanted);
  const concepts = new Set(DATA.concepts.flatMap((name, n) => (name.toLowerCase().includes(wanted) ? [n] : [])));
  for (const run of DATA.runs) {
    const look = lookAt(run, Math.round(state.time));
    const layers = new Set(run.layers.flatMap((layer, n) => (`${run.name}/${layer}`.toLowerCase().includes(wanted) ? [n] : [])));
    for (let i = 0; i < run.neurons; i++) if (layers.has(run.layer[i]) || concepts.has(look.concept[i])) found.push(run.offset + i);
  }
  tell(found.length ? `${found.length} points` : named ? "" : `Nothing is called “${text}”.`);
  select(found);
  if (named) showClasses(named);
  else if (found.length) choose(found[0]);
}

function centre(point) {
  for (const map of maps) {
    if (map.stale || !map.start) fill(map);
    const [x, y] = map.now(point);
    if (map.sizes[point]) Object.assign(map.view, { x, y });
  }
}

const tell = (text) => { by("told").textContent = text; };

// --- regions: named selections of neurons ------------------------------------------------------------------------------------

// The selected neurons, each at the epoch that is shown of it.
function selection() {
  return [...state.selected].map((point) => [runOf(point), point]).filter(([run]) => run.kind === "neurons").map(([run, point]) => {
    const i = point - run.offset;
    return { run: run.name, epoch: lookAt(run, Math.round(state.time)).epoch, layer: run.layers[run.layer[i]], channel: run.channel[i] };
  });
}

function keep() {
  const neurons = selection();
  if (!neurons.length) { tell("No neuron is selected."); return; }
  state.regions.push({ name: by("region").value.trim() || `region ${state.regions.length + 1}`, neurons });
  by("region").value = "";
  listRegions();
}

function listRegions() {
  by("regions").replaceChildren(...state.regions.map((region, n) => {
    const made = element("li"), away = button("×", "", () => { state.regions.splice(n, 1); listRegions(); });
    away.setAttribute("aria-label", `Remove ${region.name}`);
    made.append(button(`${region.name} (${region.neurons.length})`, "", () => selectRegion(region)), away);
    return made;
  }));
}

function selectRegion(region) {
  const found = region.neurons.map((each) => pointOf(`${each.run}/${each.layer}#${each.channel}`)).filter((point) => point >= 0);
  select(found);
  tell(`${found.length} of ${region.neurons.length} neurons are on this map`);
}

function save() {
  if (!state.regions.length) keep();
  if (!state.regions.length) return;
  const link = element("a");
  link.download = "regions.json";
  link.href = URL.createObjectURL(new Blob([JSON.stringify({ regions: state.regions }, null, 1)], { type: "application/json" }));
  link.click();
  tell(`${state.regions.length} regions saved as regions.json`);
}

async function load(file) {
  try {
    const held = JSON.parse(await file.text()).regions.map((region) => ({ name: String(region.name), neurons: region.neurons.map((each) =>
      ({ run: String(each.run), epoch: Number(each.epoch), layer: String(each.layer), channel: Number(each.channel) })) }));
    state.regions.push(...held);
    listRegions();
    selectRegion(held[0]);
  } catch { tell("That file holds no regions."); }
}

// --- controls ----------------------------------------------------------------------------------------------------------------

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

function listenToControls() {
  const on = (id, event, done) => by(id).addEventListener(event, done);
  on("slider", "input", () => { play(false); atTime(Number(by("slider").value)); });
  on("slider", "change", () => { atTime(Math.round(state.time)); remember(); });
  on("other", "input", () => { state.other = Number(by("other").value); refresh(); });
  on("play", "click", () => play(!state.playing));
  on("colour", "change", () => { colourBy(by("colour").value); remember(); });
  on("which", "change", () => { colourBy(state.colour, by("which").value); remember(); });
  for (const name of ["density", "trails"]) on(name, "change", () => refresh());
  on("compare", "change", compare);
  on("reset", "click", () => { maps.forEach(fit); refresh(); });
  on("classes", "click", () => showClasses());
  on("search", "submit", (event) => { event.preventDefault(); find(by("query").value); });
  on("brush", "click", () => { state.brushing = !state.brushing; by("brush").setAttribute("aria-pressed", String(state.brushing)); });
  on("keep", "click", keep);
  on("save", "click", save);
  on("clear", "click", () => { select([]); choose(-1); });
  on("load", "change", () => { if (by("load").files[0]) load(by("load").files[0]); });
  on("theme", "click", () => theme(document.documentElement.dataset.theme !== "dark"));
  addEventListener("hashchange", recall);
}

function begin() {
  const neurons = NETWORKS.reduce((sum, run) => sum + run.neurons, 0), vectors = TOTAL - neurons;
  document.title = `Evoscope: ${DATA.title}`;
  by("title").textContent = `${DATA.title}, ${neurons.toLocaleString("en")} neurons, ${vectors ? `${vectors} concept vectors, ` : ""}${EPOCHS.length} epochs`;
  by("colour").append(...Object.entries(MODES).map(([name, mode]) => new Option(mode.label, name)));
  by("hints").append(...[...DATA.concepts, ...CLASSES].map((name) => new Option("", name)));
  for (const name of ["slider", "other"]) by(name).max = String(EPOCHS.length - 1);
  by("classes").hidden = !CLASSES.length;
  by("bars").append(...NETWORKS.map((run) => {
    const bar = element("span", "bar"), rail = element("i"), full = element("b");
    full.style.background = run.colour;
    rail.append(full);
    bar.append(element("span", "", run.label), rail, element("span", "quiet"));
    return bar;
  }));
  boxes();
  addMap(false);
  listenToControls();
  theme(matchMedia("(prefers-color-scheme: dark)").matches);
  colourBy("model");
  atTime(EPOCHS.length - 1);
  maps.forEach(fit);
  recall();
}

begin();
window.EXPLORER = { state, maps, pointOf, choose, atTime, find, select, keep, colourBy, showClasses };  // for the tests
