// The panel beside the maps: the card of a neuron or of a concept vector, and the list of classes.
"use strict";

const HINT = "Point at a neuron, or choose one, to see what excites it.";
const heading = (text) => element("h3", "", text);
const quiet = (text) => element("p", "quiet", text);

let shownNow = "";
function show(point) {
  const panel = by("neuron"), step = Math.round(state.time), key = `${point} ${step}`;
  if (key === shownNow) return;
  shownNow = key;
  panel.replaceChildren();
  delete panel.dataset.neuron;
  if (point < 0) { panel.append(quiet(HINT)); return; }
  const run = runOf(point), i = point - run.offset, look = lookAt(run, step), title = element("h2");
  title.append(dot(run.colour), ` ${nameIn(run, i)}`);
  panel.dataset.neuron = nameOf(run, i);
  panel.append(title, ...(run.kind === "vectors" ? ofVector(run, i, look) : ofNeuron(run, i, look)));
  const near = run.others.map((name, row) => [setOf(name), look.near[row][i]]).filter(([other, found]) => other && found >= 0);
  if (near.length) panel.append(heading(run.kind === "vectors" ? "Nearest neurons" : "Nearest in the other networks"));
  panel.append(...near.map(([other, found]) => entry(other, found, `${other.label} ${nameIn(other, found)}`)));
  panel.scrollTop = 0;
}

function ofNeuron(run, i, look) {
  const told = [`${Math.round(look.coverage[i] / 2.55)} % of its stimuli are in the space`];
  if (look.concept[i] !== NONE) told.unshift(`tells “${DATA.concepts[look.concept[i]]}”`);
  if (look.xy[2 * i] !== look.xy[2 * i]) told.push("not placed");
  const made = [quiet(`${run.label}, epoch ${epochName(look.epoch)}, ${STATUS[look.status[i]]}`), element("p", "", told.join("; ")),
    heading("What excites it"), patches(run, look, i, STIMULI(run), 68)];
  if (run.looks.length > 1) made.push(heading("Over the epochs"), strip(run, i));
  return [...made, ...curves(run, i), ...importances(run, i)];
}

function ofVector(run, i, look) {
  const concept = look.concept[i], auc = aucOf(look, i, concept);
  const made = [quiet(`${run.label}, epoch ${epochName(look.epoch)}`)];
  if (run.classes[i]) made.push(element("p", "", `first candidate of ${run.classes[i]}`));
  if (concept !== NONE) made.push(element("p", "", `tells “${DATA.concepts[concept]}”${auc ? `, AUC ${auc.toFixed(2)} on held-out images` : ""}`));
  if (look.xy[2 * i] !== look.xy[2 * i]) made.push(element("p", "", "not placed"));
  return [...made, heading("Images that lie farthest along it"), patches(run, look, i, STIMULI(run), 136)];
}

// A line that leads to another point.
function entry(run, i, text) {
  const look = run.looks[run.looks.length - 1], made = button("", "near", () => { choose(run.offset + i); });
  made.append(...[0, 1].map((rank) => patch(run, look, i, rank, 44)), dot(run.colour), element("span", "", text));
  return made;
}

function strip(run, i) {
  const grid = element("div", "strip");
  for (const look of run.looks) grid.append(element("span", "quiet", epochName(look.epoch)), patches(run, look, i, 4, 44));
  return grid;
}

// --- one concept over the epochs --------------------------------------------------------------------------------------------

function curves(run, i) {
  if (!DATA.told.length) return [];
  const own = run.concept[i], label = element("label"), choice = element("select", "concepts"), place = element("div", "curve");
  if (own !== NONE) choice.append(new Option(`its own: ${DATA.concepts[own]}`, "-1"));
  choice.append(...DATA.told.map((c) => new Option(DATA.concepts[c], String(c))));
  choice.value = own === NONE && state.told < 0 ? String(DATA.told[0]) : String(state.told);
  const draw = () => {
    const concept = choice.value === "-1" ? own : Number(choice.value);
    place.replaceChildren(curve(run, run.looks.map((look) => aucOf(look, i, concept))));
  };
  choice.addEventListener("change", () => { state.told = Number(choice.value); draw(); });
  label.append("AUC of ", choice);
  draw();
  const title = heading("");
  title.append(label);
  return [title, place];
}

function curve(run, values) {
  const space = "http://www.w3.org/2000/svg", width = 260, height = 70;
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", `AUC per epoch: ${values.map((v) => (v ? v.toFixed(2) : "unknown")).join(", ")}`);
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
  const known = values.map((v, n) => [v, n]).filter(([v]) => v);
  add("polyline", { points: known.map(([v, n]) => `${x(n)},${y(v)}`).join(" "), fill: "none", stroke: run.colour, "stroke-width": 2 });
  known.forEach(([v, n]) => add("circle", { cx: x(n), cy: y(v), r: 3, fill: run.colour }));
  run.looks.forEach((look, n) => add("text", { x: x(n), y: height - 2, "text-anchor": "middle" }, epochName(look.epoch)));
  return drawing;
}

// --- importance and classes ---------------------------------------------------------------------------------------------------

const stretch = (judged) => `epochs ${judged.epochs.map(epochName).join(" to ")}`;

// What a neuron's evolution does for each class, the class that it helps most first.
function importances(run, i) {
  const judged = run.judged.filter((each) => each.score[i] !== UNJUDGED).sort((a, b) => b.score[i] - a.score[i]);
  if (!judged.length) return [];
  const table = element("table"), head = element("tr");
  head.append(...["class, epochs", "helps", "accuracy"].map((text) => element("th", "", text)));
  table.append(head, ...judged.map((each) => {
    const row = element("tr"), random = each.cost[run.layer[i]][RANDOM], cost = costOf(run, each, i);
    if (caseName(each) === state.which) row.className = "now";
    row.append(element("td", "", `${each.class}, ${each.epochs.map(epochName).join(" to ")}`), element("td", "", `${Math.round(each.score[i] / 2.54)} %`),
      element("td", "", cost === cost ? `${points(cost)} (random ${points(random)})` : "–"));
    return row;
  }));
  return [heading("Importance of its evolution"), quiet("Share of the class's images that it helps; change of the class's accuracy, in points, when its quarter of the layer is taken back, beside a random quarter."), table];
}

function showClasses(open = "") {
  const panel = by("neuron");
  state.chosen = -1;
  shownNow = "";
  delete panel.dataset.neuron;
  panel.replaceChildren(element("h2", "", "Classes"), quiet("The evolutions that matter most for each, and what taking them back costs."));
  for (const name of CLASSES) {
    const made = element("details"), fillIn = () => { if (made.open && made.children.length === 1) made.append(...ofClass(name)); };
    made.append(element("summary", "", name));
    made.open = name === open;
    made.addEventListener("toggle", fillIn);
    fillIn();
    panel.append(made);
    if (made.open) panel.scrollTop = made.offsetTop - panel.offsetTop;
  }
  refresh();
}

function ofClass(name) {
  const made = [];
  for (const run of NETWORKS) for (const judged of run.judged.filter((each) => each.class === name)) {
    const [most, , , least, random] = judged.mean.map(points), title = heading("");
    title.append(dot(run.colour), ` ${run.label}, ${stretch(judged)}`);
    made.push(title, element("p", "", `Without ${BINS[0]} of a layer's evolutions its accuracy of ${Math.round(100 * judged.accuracy)}\u00a0% changes by ${most} points; ` +
      `without a random quarter by ${random}, without ${BINS[3]} by ${least} (mean over layers; ${judged.images} test images).`));
    made.push(...judged.top.map((i) => entry(run, i, `${nameIn(run, i)}, helps ${Math.round(judged.score[i] / 2.54)} %`)));
    if (judged.top.length) made.push(button("Colour the map by it", "", () => { colourBy("importance", caseName(judged)); remember(); }));
  }
  const vectors = DATA.runs.filter((run) => run.kind === "vectors").flatMap((run) =>
    run.classes.flatMap((names, i) => (`, ${names}, `.includes(`, ${name}, `) ? [entry(run, i, `${run.label} ${nameIn(run, i)}`)] : [])));
  return vectors.length ? [...made, heading("Concept vectors that are its first candidates"), ...vectors] : made;
}
