// What points are coloured by. A mode tells the colour of a point, what else is chosen with it, and its legend.
"use strict";

const CATEGORIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#5254a3", "#b5cf6b", "#ad494a"];
const RAMP = ["#2b2c7c", "#2f6fa7", "#2ba39b", "#7fc765", "#f2d43d"], GREY = "#9a9a9a";
const STATUS = ["alive", "dead", "constant", "not a number"];

const parsed = new Map();
function channels(hex) {
  if (!parsed.has(hex)) parsed.set(hex, [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return parsed.get(hex);
}
const ENDS = RAMP.map(channels), STEPS = 255;
const SHADES = Array.from({ length: STEPS + 1 }, (_, step) => {
  const at = step / STEPS * (RAMP.length - 1), low = Math.min(Math.floor(at), RAMP.length - 2);
  return ENDS[low].map((value, n) => Math.round(value + (ENDS[low + 1][n] - value) * (at - low)));
});
const ramp = (share) => (share === share ? SHADES[Math.round(Math.min(Math.max(share, 0), 1) * STEPS)] : channels(GREY));
const graded = (low, high) => [[low, RAMP[0]], ["", RAMP[2]], [high, RAMP[4]]];

// Concepts that most neurons have get a colour each.
const counts = new Map();
for (const run of NETWORKS)
  for (const c of run.looks[run.looks.length - 1].concept) if (c !== NONE) counts.set(c, (counts.get(c) || 0) + 1);
const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, CATEGORIES.length).map(([c]) => c);
const conceptColour = (c) => (common.includes(c) ? CATEGORIES[common.indexOf(c)] : GREY);

const cases = () => CASES.map((name) => [name, name]);
const losses = DATA.runs.flatMap((run) => run.judged.flatMap((judged) => judged.cost.flat().filter((each) => each < 0)));
const MOST_LOST = losses.reduce((most, each) => Math.max(most, -each), 0.01);

const MODES = {
  model: { label: "network", of: (run) => channels(run.colour), legend: () => NETWORKS.map((run) => [run.label, run.colour]) },
  layer: { label: "depth of layer", legend: () => graded("first layer", "last layer"),
    of: (run, look, i) => (run.kind === "neurons" ? ramp(run.layer[i] / Math.max(1, run.layers.length - 1)) : channels(GREY)) },
  coverage: { label: "coverage", of: (run, look, i) => ramp(look.coverage[i] / 255), legend: () => graded("no stimulus in the space", "all") },
  status: { label: "alive or dead", of: (run, look, i) => channels(CATEGORIES[look.status[i]]), legend: () => STATUS.map((name, n) => [name, CATEGORIES[n]]) },
};
if (DATA.concepts.length) {
  MODES.concept = { label: "known concept", of: (run, look, i) => channels(look.concept[i] === NONE ? GREY : conceptColour(look.concept[i])),
    legend: () => [...common.map((c) => [DATA.concepts[c], conceptColour(c)]), ["others and none", GREY]] };
  MODES.auc = { label: "AUC of a concept", choices: () => [["", "its last concept"], ...DATA.told.map((c) => [String(c), DATA.concepts[c]])],
    of: (run, look, i, which) => { const auc = aucOf(look, i, which ? Number(which) : run.concept[i]); return ramp(auc ? (auc - 0.5) * 2 : NaN); },
    legend: () => [["none", GREY], ...graded("0.5", "1")] };
}
if (CASES.length) {
  MODES.importance = { label: "importance for a class", choices: cases, legend: () => [["not judged", GREY], ...graded("helps no image", "all")],
    of: (run, look, i, which) => { const judged = judgedAs(run, which), score = judged ? judged.score[i] : UNJUDGED; return ramp(score === UNJUDGED ? NaN : score / 254); } };
  MODES.cost = { label: "accuracy of its reversal", choices: cases,
    legend: () => [["not judged", GREY], ...graded("its quarter taken back costs nothing", `${points(-MOST_LOST)} points`)],
    of: (run, look, i, which) => { const judged = judgedAs(run, which); return ramp(judged ? -costOf(run, judged, i) / MOST_LOST : NaN); } };
}

function legend() {
  const entries = MODES[state.colour].legend();
  by("legend").replaceChildren(...entries.map(([name, colour]) => {
    const entry = element("span");
    entry.append(dot(colour), ` ${name}`);
    return entry;
  }));
  if (DATA.runs.length > NETWORKS.length) by("legend").append(element("span", "", "◆ concept vector"));
}

// Set the mode and what is chosen with it; keeps the choice where the new mode has it too.
function colourBy(mode, which = state.which) {
  const choices = MODES[mode].choices ? MODES[mode].choices() : [];
  state.colour = mode;
  state.which = choices.length ? (choices.find(([value]) => value === which) || choices[0])[0] : "";
  by("colour").value = mode;
  by("which").replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
  by("which").value = state.which;
  by("which").parentElement.hidden = !choices.length;
  legend();
  refresh(true);
}
