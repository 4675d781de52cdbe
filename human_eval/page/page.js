"use strict";
// One participant, one block. Everything given is put on the page as text, never as markup.
const study = JSON.parse(document.getElementById("study").textContent);
const asked = new URLSearchParams(location.search);
const place = "human_eval/" + study.study + "/" + study.key + "/" + study.block + "/" + (asked.get("participant") || "");
const byId = (id) => document.getElementById(id);
let storage = true;
let state = load();
let shownAt = 0;
let resumed = state.responses.length > 0;
let draft = null;
let sending = false;

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(place));
    if (kept && Array.isArray(kept.responses)) return kept;
  } catch (error) { storage = false; }
  return { participant: asked.get("participant") || code(), external: external(), consent: "", sent: 0, responses: [] };
}

function code() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function external() {
  const found = {};
  for (const name of study.parameters) if (asked.has(name)) found[name] = asked.get(name).slice(0, 100);
  return found;
}

function keep() {
  try { localStorage.setItem(place, JSON.stringify(state)); } catch (error) { storage = false; }
}

function show(name) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
}

function step() {
  if (!state.consent) return show("consent");
  if (!state.started) return show("instructions");
  const number = state.responses.length;
  progress(number);
  if (number < study.trials.length) ask(study.trials[number], number);
  else finish();
}

function progress(number) {
  const total = study.trials.length;
  byId("bar").setAttribute("aria-valuemax", total);
  byId("bar").setAttribute("aria-valuenow", number);
  byId("done").style.width = (100 * number) / total + "%";
  byId("count").textContent = !state.started ? "" : number < total ? "Question " + (number + 1) + " of " + total : "Finished";
}

function element(tag, attributes, text) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function ask(trial, number) {
  draft = { choice: null, texts: trial.form.texts.map(() => ""), option: null };
  byId("practice").hidden = !trial.practice;
  byId("question").textContent = trial.form.question;
  byId("hint").textContent = "";
  byId("panels").className = trial.panels.length === 1 ? "alone" : trial.panels.every((files) => files.length === 1) ? "single" : "";
  byId("panels").replaceChildren(...trial.panels.map((files, at) => panel(trial, files, at)));
  byId("texts").replaceChildren(...trial.form.texts.flatMap(field));
  byId("options").hidden = trial.form.options.length === 0;
  byId("legend").textContent = trial.form.option_question;
  byId("choices").replaceChildren(...trial.form.options.map(option));
  show("trial");
  byId("question").focus({ preventScroll: true });
  scrollTo(0, 0);
  shownAt = performance.now();
  preload(study.trials[number + 1]);
}

function panel(trial, files, at) {
  const what = trial.panels.every((files) => files.length === 1) ? "Picture " : "Set ";
  const name = trial.panels.length > 1 ? what + String.fromCharCode(65 + at) : "Pictures";
  const attributes = trial.form.choose ? { type: "button", class: "panel", "aria-pressed": "false" } : { class: "panel" };
  const made = element(trial.form.choose ? "button" : "div", attributes);
  made.append(element("span", {}, trial.form.choose ? at + 1 + ". " + name : name));
  const size = files.length === 1 ? " one" : files.length <= 4 ? " two" : "";
  const grid = element("span", { class: "pictures" + size });
  files.forEach((file, n) => grid.append(element("img", { src: file, alt: "Picture " + (n + 1) + " of " + files.length, draggable: "false" })));
  made.append(grid);
  if (trial.form.choose) made.addEventListener("click", () => choose(at));
  return made;
}

function choose(at) {
  draft.choice = at;
  [...byId("panels").children].forEach((made, n) => made.setAttribute("aria-pressed", String(n === at)));
  byId("hint").textContent = "";
}

function field(prompt, at) {
  const input = element("input", { id: "text" + at, type: "text", maxlength: "200", autocomplete: "off" });
  input.addEventListener("input", () => { draft.texts[at] = input.value; });
  return [element("label", { for: "text" + at }, prompt), input];
}

function option(text, at) {
  const label = element("label", {});
  const input = element("input", { type: "radio", name: "option", value: at });
  input.addEventListener("change", () => { draft.option = at; byId("hint").textContent = ""; });
  label.append(input, element("span", {}, text));
  return label;
}

function preload(trial) {
  if (trial) for (const files of trial.panels) for (const file of files) new Image().src = file;
}

function missing(trial) {
  if (trial.form.choose && draft.choice === null) return "Please choose one of them.";
  if (draft.texts.some((text) => !text.trim())) return "Please write a few words in every field.";
  if (trial.form.options.length && draft.option === null) return "Please choose one of the answers.";
  return "";
}

function next() {
  const number = state.responses.length;
  const trial = study.trials[number];
  if (!trial || byId("trial").hidden) return;
  const fault = missing(trial);
  byId("hint").textContent = fault;
  if (fault) return;
  const ms = Math.round(performance.now() - shownAt);
  state.responses.push({ trial: trial.id, place: number, choice: draft.choice, texts: draft.texts, option: draft.option, ms, resumed });
  resumed = false;
  keep();
  send();
  step();
}

async function send() {
  if (!study.post || sending) return;
  sending = true;
  let wait = 1000;
  while (state.sent < state.responses.length) {
    const outcome = await post(state.responses[state.sent]);
    if (outcome) { state.sent += 1; keep(); wait = 1000; }
    else { await new Promise((done) => setTimeout(done, wait)); wait = Math.min(2 * wait, 30000); }
    report();
  }
  sending = false;
}

async function post(response) {
  const body = JSON.stringify({ participant: state.participant, block: study.block, ...response });
  try {
    const reply = await fetch(study.post, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    // 409: another answer to this question arrived before; the first one counts, and asking again changes nothing.
    return reply.ok || reply.status === 409;
  } catch (error) { return false; }
}

function report() {
  const left = state.responses.length - state.sent;
  byId("sent").textContent = !study.post ? "Please download your answers and send them to the researchers."
    : left ? "Sending: " + left + " answers are still on this device. Please keep this page open."
    : "All your answers have arrived.";
  const over = state.responses.length >= study.trials.length && (!study.post || !left);
  byId("completion").hidden = !(over && study.completion);
}

function finish() {
  byId("code").textContent = state.participant;
  if (study.completion) completion();
  report();
  show("end");
  byId("thanks").focus({ preventScroll: true });
}

function completion() {
  const url = study.completion.url;
  const parts = ["Your completion code: ", element("strong", {}, study.completion.code), " "];
  if (/^https:\/\//.test(url)) parts.push(element("a", { href: url }, "Finish"));
  byId("completion").replaceChildren(...parts);
}

function record() {
  return { format: 1, study: study.study, block: study.block, participant: state.participant, external: state.external,
    consent: state.consent, responses: state.responses };
}

function download() {
  const file = new Blob([JSON.stringify(record(), null, 1)], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(file), download: "answers-" + state.participant.slice(0, 8) + ".json" });
  document.body.append(link);
  link.click();
  link.remove();
}

function onKey(event) {
  if (byId("trial").hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const typing = event.target.matches("input[type=text]");
  if (event.key === "Enter" && !event.target.matches("button, a")) { event.preventDefault(); return next(); }
  const digit = typing ? NaN : Number.parseInt(event.key, 10);
  const trial = study.trials[state.responses.length];
  if (!(digit >= 1)) return;
  if (trial.form.choose && digit <= trial.panels.length) { choose(digit - 1); byId("panels").children[digit - 1].focus(); }
  else if (!trial.form.choose && digit <= trial.form.options.length) byId("choices").querySelectorAll("input")[digit - 1].click();
}

byId("agree").addEventListener("change", () => { byId("begin").disabled = !byId("agree").checked; });
byId("begin").addEventListener("click", () => { state.consent = new Date().toISOString(); keep(); step(); });
byId("start").addEventListener("click", () => { state.started = true; keep(); step(); });
byId("next").addEventListener("click", next);
byId("download").addEventListener("click", download);
document.addEventListener("keydown", onKey);
addEventListener("online", send);
addEventListener("beforeunload", (event) => {
  if (!storage && state.responses.length && state.responses.length < study.trials.length) event.preventDefault();
});
progress(state.responses.length);
step();
send();
