// The data: sets of points (a network's neurons, or concept vectors) over epochs, what is known of each, and images.
"use strict";

const DATA = window.EVOSCOPE, NONE = 65535, UNJUDGED = 255;
const by = (id) => document.getElementById(id);

function unpacked(text, kind) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new kind(bytes.buffer);
}

function unpack(run, offset) {
  run.offset = offset;
  for (const name of ["layer", "channel", "concept"]) run[name] = unpacked(run[name], Uint16Array);
  run.hidden = new Set();
  for (const look of run.looks) {
    look.xy = unpacked(look.xy, Float32Array);
    for (const name of ["coverage", "status", "auc", "places"]) look[name] = unpacked(look[name], Uint8Array);
    for (const name of ["concept", "images"]) look[name] = unpacked(look[name], Uint16Array);
    look.near = look.near.map((each) => unpacked(each, Int32Array));
  }
  for (const judged of run.judged) for (const name of ["score", "bin"]) judged[name] = unpacked(judged[name], Uint8Array);
  return offset + run.neurons;
}

const TOTAL = DATA.runs.reduce((offset, run) => unpack(run, offset), 0);
const STIMULI = (run) => run.looks[0].images.length / run.neurons;
const NETWORKS = DATA.runs.filter((run) => run.kind === "neurons");
const EPOCHS = [...new Set(NETWORKS.flatMap((run) => run.looks.map((look) => look.epoch)))].sort((a, b) => a - b);
const epochName = (epoch) => (epoch === -3 ? "as it is" : epoch < 0 ? "start" : String(epoch));  // before training
const runOf = (point) => DATA.runs.find((run) => point < run.offset + run.neurons);
const setOf = (name) => DATA.runs.find((run) => run.name === name);
const nameIn = (run, i) => `${run.layers[run.layer[i]]}#${run.channel[i]}`;
const nameOf = (run, i) => `${run.name}/${nameIn(run, i)}`;

// The state of a run at a time on the slider: the last look at or before that epoch (its first, before that).
function lookAt(run, step) {
  let found = 0;
  run.looks.forEach((look, row) => { if (look.epoch <= EPOCHS[step]) found = row; });
  return run.looks[found];
}

function pointOf(text) {
  const match = /^(.+?)\/(.+)#(\d+)$/.exec(text.trim()), run = match && setOf(match[1]);
  if (!run) return -1;
  for (let i = 0; i < run.neurons; i++)
    if (run.channel[i] === Number(match[3]) && run.layers[run.layer[i]] === match[2]) return run.offset + i;
  return -1;
}

// How well a point tells a concept, as a share (0: not known).
function aucOf(look, i, concept) {
  const column = DATA.told.indexOf(concept);
  return column < 0 ? 0 : look.auc[i * DATA.told.length + column] / 255;
}

// --- classes ------------------------------------------------------------------------------------------------------------

const caseName = (judged) => `${judged.class}: ${judged.pair}`;
const CASES = [...new Set(NETWORKS.flatMap((run) => run.judged.map(caseName)))].sort();
const CLASSES = [...new Set(NETWORKS.flatMap((run) => run.judged.map((judged) => judged.class)))].sort();
const judgedAs = (run, name) => run.judged.find((judged) => caseName(judged) === name);
const BINS = ["the most important quarter", "the second quarter", "the third quarter", "the least important quarter"], RANDOM = 4;

// Change of the class's accuracy when the quarter of its layer that a neuron belongs to is taken back; NaN: not judged.
function costOf(run, judged, i) {
  const bin = judged.bin[i];
  return bin === UNJUDGED ? NaN : judged.cost[run.layer[i]][bin];
}

const points = (change) => `${change > 0 ? "+" : change < 0 ? "−" : ""}${Math.abs(100 * change).toFixed(1)}`;

// --- images: scripts that are loaded when one of theirs is shown ----------------------------------------------------------

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

function button(text, name, pressed) {
  const made = element("button", name, text);
  made.type = "button";
  made.addEventListener("click", pressed);
  return made;
}

function dot(colour) {
  const made = element("span", "dot");
  made.style.background = colour;
  return made;
}

// A stimulus: of a neuron the part of the image around the place where it answers most, of a concept vector the whole.
function patch(run, look, i, rank, size) {
  const made = element("div", "patch"), at = i * STIMULI(run) + rank, image = look.images[at];
  made.setAttribute("role", "img");
  made.style.width = made.style.height = `${size}px`;
  if (image === NONE) { made.setAttribute("aria-label", "no image"); return made; }
  made.setAttribute("aria-label", `image ${rank + 1}`);
  made.dataset.image = image;
  const whole = run.kind === "vectors" ? size : size / DATA.patch;
  const [y, x] = [0, 1].map((axis) => Math.min(Math.max(look.places[2 * at + axis] / 255 * whole - size / 2, 0), whole - size));
  made.style.backgroundSize = `${whole}px ${whole}px`;
  made.style.backgroundPosition = `${-x}px ${-y}px`;
  chunk(Math.floor(image / DATA.images.chunk)).then((held) => {
    made.style.backgroundImage = `url("data:image/webp;base64,${held[image % DATA.images.chunk]}")`;
  }, () => { made.textContent = "?"; });
  return made;
}

function patches(run, look, i, count, size) {
  const row = element("div", "patches");
  for (let rank = 0; rank < Math.min(count, STIMULI(run)); rank++) row.append(patch(run, look, i, rank, size));
  return row;
}
