"use strict";
// One participant, one block. Everything given is put on the page as text, never as markup.
const study = JSON.parse(document.getElementById("study").textContent);
const words = study.words;
const asked = new URLSearchParams(location.search);
const person = asked.get("PROLIFIC_PID") || asked.get("participant") || "";
let place = ["human_eval", study.study, study.key, study.block || "", person].join("/");
const byId = (id) => document.getElementById(id);
const TRIES = 4, MOST_SKIPPED = 2, BACK_SECONDS = 8;
let storage = true;
let state = load();
let draft = null, ready = false, told = false, shownAt = 0, resumed = false, sending = false;

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(place));
    if (kept && Array.isArray(kept.responses)) return kept;
  } catch (error) { storage = false; }
  return fresh();
}

function fresh() {
  const own = study.post ? { participant: "", block: "", trials: [], plan: [] }
    : { participant: random(), block: study.block, trials: study.trials, plan: study.plans[Math.floor(Math.random() * study.plans.length)] };
  return { ...own, external: external(), consent: "", colours: null, elsewhere: [], refused: [], skipped: 0, sent: 0, responses: [], closed: "", completion: null, over: false };
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function external() {
  const found = {};
  for (const name of ["PROLIFIC_PID", "STUDY_ID", "SESSION_ID"]) if (asked.has(name)) found[name] = asked.get(name).slice(0, 100);
  return found;
}

function device() {
  return { agent: navigator.userAgent.slice(0, 300), width: innerWidth, height: innerHeight, ratio: devicePixelRatio,
    touch: matchMedia("(pointer: coarse)").matches, language: navigator.language };
}

function keep() {
  try { localStorage.setItem(place, JSON.stringify(state)); } catch (error) { storage = false; }
}

function filled(text, values) { return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all); }

function show(name) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  scrollTo(0, 0);
}

function answered(name) { return state.elsewhere.includes(name) || state.responses.some((given) => given.trial === name); }
function current() { const at = state.plan.findIndex(([name]) => !answered(name)); return at < 0 ? state.plan.length : at; }
function trialOf(number) { return number < state.plan.length ? state.trials.find((trial) => trial.id === state.plan[number][0]) : null; }

function step() {
  const number = current();
  progress(number);
  if (state.closed) return close();
  if (!state.consent) return show("consent");
  if (!state.started) { preload(number); return show("instructions"); }
  if (number < state.plan.length) return ask(number);
  return state.over ? end() : last();
}

function progress(number) {
  const total = state.plan.length;
  byId("bar").setAttribute("aria-valuemax", total || 1);
  byId("bar").setAttribute("aria-valuenow", number);
  byId("done").style.width = (100 * number) / (total || 1) + "%";
  byId("count").textContent = !state.started ? "" : number < total ? filled(words.question, { number: number + 1, total }) : words.finished;
}

function element(tag, attributes, text) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Asking.

function ask(number) {
  const trial = trialOf(number), panels = state.plan[number][1];
  draft = { trial, panels, number, choice: null, texts: trial.form.texts.map(() => ""), option: null, failures: 0 };
  [ready, told] = [false, false];
  byId("practice").hidden = !trial.practice;
  byId("question").textContent = trial.form.question;
  hint(words.loading);
  byId("panels").className = panels.length === 1 ? "alone" : trial.pictures === 1 ? "single" : "";
  byId("panels").replaceChildren(...panels.map((panel, at) => shownPanel(trial, trial.panels[panel], at)));
  byId("texts").replaceChildren(...trial.form.texts.map(field));
  byId("options").hidden = trial.form.options.length === 0;
  byId("legend").textContent = trial.form.option_question;
  byId("choices").replaceChildren(...trial.form.options.map(option));
  byId("next").textContent = nextWord;
  for (const name of ["again", "skip"]) byId(name).hidden = true;
  show("trial");
  byId("question").focus({ preventScroll: true });
  arrive(draft);
}

// Pictures are waited for and asked for again; nothing can be answered before they are all there.
async function arrive(mine) {
  const images = [...byId("panels").querySelectorAll("img")];
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (attempt) await pause(500 * 2 ** attempt);
    if (mine !== draft) return;
    const broken = images.filter((image) => image.complete && !image.naturalWidth);
    for (const image of attempt ? broken : []) image.src = image.dataset.file + "?again=" + mine.failures;
    await Promise.all(images.map(settled));
    if (mine !== draft) return;
    const failed = images.filter((image) => !image.naturalWidth).length;
    if (!failed) {
      hint("");
      for (const name of ["again", "skip"]) byId(name).hidden = true;
      [ready, shownAt] = [true, performance.now()];
      preload(mine.number + 1);
      return preload(mine.number + 2);
    }
    mine.failures += failed;
  }
  hint(words.broken);
  for (const name of ["again", "skip"]) byId(name).hidden = false;
}

function settled(image) {
  if (image.complete) return Promise.resolve();
  return Promise.race([pause(30000), new Promise((done) => { image.onload = done; image.onerror = done; })]);
}

function pause(ms) { return new Promise((done) => setTimeout(done, ms)); }

function address(file) { return study.post ? location.pathname.replace(/\/$/, "") + "/" + file : file; }

function nameOf(trial, at) {
  if (trial.panels.length === 1) return words.pictures;
  return filled(trial.pictures === 1 ? words.picture : words.set, { letter: String.fromCharCode(65 + at) });
}

function shownPanel(trial, file, at) {
  const name = nameOf(trial, at), made = element("div", { class: "panel" });
  const box = element(trial.form.choose ? "button" : "div", trial.form.choose ? { type: "button", class: "box", "aria-pressed": "false" } : { class: "box" });
  const alt = filled(trial.pictures === 1 ? words.shows_one : words.shows_many, { name, count: trial.pictures });
  const image = element("img", { src: address(file), alt, draggable: "false", "data-file": address(file) });
  box.append(element("span", {}, trial.form.choose ? at + 1 + ". " + name : name), image);
  const larger = element("button", { type: "button", class: "enlarge", "aria-label": filled(words.enlarge, { name }) }, "\u2922");
  larger.addEventListener("click", () => enlarge(image, alt));
  if (trial.form.choose) box.addEventListener("click", () => choose(at));
  made.append(box, larger);
  return made;
}

function enlarge(image, alt) {
  byId("enlarged").src = image.src;
  byId("enlarged").alt = alt;
  byId("large").setAttribute("aria-label", alt);
  byId("large").showModal();
}

function choose(at) {
  if (!ready || told) return;
  draft.choice = at;
  [...byId("panels").children].forEach((made, n) => made.firstChild.setAttribute("aria-pressed", String(n === at)));
  hint(filled(words.chosen, { name: nameOf(draft.trial, at) }), true);
}

function field(prompt, at) {
  const input = element("input", { id: "text" + at, type: "text", maxlength: "200", autocomplete: "off" });
  const mine = draft, both = element("div", {});
  input.addEventListener("input", () => { mine.texts[at] = input.value; });
  both.append(element("label", { for: "text" + at }, prompt), input);
  return both;
}

function option(text, at) {
  const label = element("label", {}), mine = draft;
  const input = element("input", { type: "radio", name: "option", value: at });
  input.addEventListener("change", () => { mine.option = at; if (ready) hint(""); });
  label.append(input, element("span", {}, text));
  return label;
}

function preload(number) {
  const trial = trialOf(number);
  if (trial) for (const file of trial.panels) new Image().src = address(file);
}

function hint(text, quiet) {
  byId("hint").textContent = text;
  byId("hint").className = quiet ? "told" : "";
}

function lacking(trial) {
  if (!ready) return byId("skip").hidden ? words.loading : words.broken;
  if (trial.form.choose && draft.choice === null) return words.choose;
  if (draft.texts.some((text) => !text.trim())) return words.write;
  if (trial.form.options.length && draft.option === null) return words.take;
  return "";
}

const nextWord = byId("next").textContent;

function next() {
  if (!draft || byId("trial").hidden) return;
  const trial = draft.trial, fault = told ? "" : lacking(trial);
  if (fault) return hint(fault);
  if (!told) draft.ms = Math.round(performance.now() - shownAt);
  if (trial.practice && !told) return teach(trial);
  const choice = draft.choice === null ? null : draft.panels[draft.choice];
  respond({ choice, position: draft.choice, texts: draft.texts, option: draft.option, ms: draft.ms, missing: 0 });
}

// What is right in a question for practice.
function teach(trial) {
  told = true;
  const given = trial.form.choose ? draft.panels[draft.choice] : draft.option;
  const place = trial.form.choose ? nameOf(trial, draft.panels.indexOf(trial.right)) : trial.form.options[trial.right];
  hint(trial.right === null ? filled(words.open, { answer: trial.example }) : given === trial.right ? words.right : filled(words.wrong, { answer: place }), true);
  byId("next").textContent = words.continue;
}

function respond(given) {
  state.responses.push({ trial: draft.trial.id, place: draft.number, ...given, resumed, failures: draft.failures });
  [resumed, draft] = [false, null];
  keep();
  send();
  step();
}

function skip() {
  const missing = [...byId("panels").querySelectorAll("img")].filter((image) => !image.naturalWidth).length;
  state.skipped += 1;
  respond({ choice: null, position: null, texts: draft.texts.map(() => ""), option: null, ms: 0, missing });
  if (state.skipped > MOST_SKIPPED) shut("pictures", "open");
}

// Talking to the server. What it refuses for good is not asked again.

async function request(path, body) {
  try {
    const where = location.pathname.replace(/\/$/, "") + "/" + path;
    const reply = await fetch(where, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return { status: reply.status, body: await reply.json() };
  } catch (error) { return { status: 0, body: {} }; }
}

const lasting = (status) => status >= 400 && status < 500 && status !== 408 && status !== 429;

async function join() {
  const consent = { version: study.consent, at: state.consent || new Date().toISOString() };
  const reply = await request("consent", { ids: state.external, participant: state.participant || asked.get("participant") || "", consent, device: device() });
  if (reply.status === 200) return adopt(reply.body, consent.at);
  if (lasting(reply.status)) return finallyClosed(reply.body.reason || "unknown");
  // Who has a plan goes on without the server; the answers wait on this device.
  if (state.plan.length) { step(); return send(); }
  byId("notice").textContent = words.waiting;
  await pause(5000);
  return join();
}

function adopt(found, at) {
  const same = state.participant === found.participant;
  if (!same) [state.responses, state.sent] = [[], 0];
  for (const name of ["participant", "block", "trials", "plan"]) state[name] = found[name];
  state.consent = at;
  state.elsewhere = found.answered;
  state.completion = found.completion;
  state.over = Boolean(found.completion);
  state.started = state.started || found.answered.length > 0;
  resumed = found.answered.length > 0;
  byId("notice").textContent = "";
  if (!person) {
    // A reload goes on, and the bare link begins anew, so that several people can share a computer.
    history.replaceState(null, "", "?participant=" + found.participant);
    place = ["human_eval", study.study, study.key, "", found.participant].join("/");
  }
  keep();
  step();
  send();
}

async function send() {
  if (!study.post || sending) return;
  sending = true;
  let wait = 1000;
  while (state.sent < state.responses.length && !state.closed) {
    const given = state.responses[state.sent];
    const { status, body } = await request("answers", { participant: state.participant, block: state.block, ...given });
    // 409: another answer to this question arrived before; the first one counts.
    const refused = lasting(status) && status !== 409;
    if (refused && body.reason) { finallyClosed(body.reason); break; }
    if (refused) state.refused.push(given.trial);
    if (status >= 200 && status < 300 || lasting(status)) { state.sent += 1; keep(); wait = 1000; }
    else { await pause(wait); wait = Math.min(2 * wait, 30000); }
    report();
  }
  sending = false;
}

function report() {
  const left = state.responses.length - state.sent;
  byId("sent").textContent = !study.post ? "" : left ? filled(words.sending, { count: left }) : words.arrived;
}

function last() {
  draft = null;
  report();
  show("remark");
  byId("last").focus({ preventScroll: true });
}

async function finish() {
  byId("finish").disabled = true;
  state.remark = byId("said").value.trim();
  if (study.post) {
    while (state.sent < state.responses.length && !state.closed) { send(); await pause(300); }
    if (state.closed) return;
    const reply = await request("finish", { participant: state.participant, remark: state.remark, refused: state.refused });
    byId("finish").disabled = false;
    if (reply.body.reason) return finallyClosed(reply.body.reason);
    if (reply.status !== 200) { byId("sent").textContent = lasting(reply.status) ? words.incomplete : words.waiting; return; }
    state.completion = reply.body.completion;
  }
  state.over = true;
  keep();
  step();
  if (state.completion && state.completion.url) back(BACK_SECONDS);
}

function end() {
  byId("code").textContent = state.participant;
  for (const name of ["download", "another"]) byId(name).hidden = study.post;
  byId("handing").hidden = study.post;
  byId("handing").textContent = words.hand_over;
  const done = state.completion;
  byId("completion").hidden = !done;
  if (done) byId("completion").replaceChildren(words.code + " ", element("strong", {}, done.code));
  byId("back").hidden = !(done && /^https?:\/\//.test(done.url));
  if (done && done.url) byId("back").href = done.url;
  show("end");
  byId("thanks").focus({ preventScroll: true });
}

function back(seconds) {
  if (state.closed) return;
  if (seconds <= 0) { location.assign(state.completion.url); return; }
  byId("redirect").textContent = filled(words.redirect, { seconds });
  setTimeout(() => back(seconds - 1), 1000);
}

// Leaving.

function finallyClosed(reason) {
  state.closed = reason;
  if (reason === "withdrawn" || reason === "unknown") state.responses = [];
  keep();
  close();
}

function close() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  draft = null;
  byId("why").textContent = words.closed[state.closed] || words.closed.unknown;
  show("closed");
  byId("why").focus({ preventScroll: true });
}

async function shut(reason, status) {
  byId("leave").close();
  if (study.post && state.participant) {
    for (let tries = 0; reason !== "withdrawn" && tries < 30 && state.sent < state.responses.length; tries += 1) { send(); await pause(100); }
    const reply = await request("stop", { participant: state.participant, how: status || reason });
    if (!reply.status) return hint(words.waiting);
  } else if (reason === "stopped") { state.over = true; keep(); return end(); }
  else if (reason === "withdrawn") state = fresh();
  finallyClosed(reason);
}

function record() {
  return { format: 2, study: study.study, key: study.key, block: state.block, participant: state.participant, external: state.external,
    consent: { version: study.consent, at: state.consent }, device: device(), colours: state.colours, remark: state.remark || "", responses: state.responses };
}

function download() {
  const file = new Blob([JSON.stringify(record(), null, 1)], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(file), download: "answers-" + state.participant.slice(0, 8) + ".json" });
  document.body.append(link);
  link.click();
  link.remove();
}

function onKey(event) {
  if (byId("trial").hidden || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const typing = event.target.matches("input[type=text]");
  if (event.key === "Enter" && !event.target.matches("button, a")) { event.preventDefault(); return next(); }
  const digit = typing ? NaN : Number.parseInt(event.key, 10);
  const trial = draft && draft.trial;
  if (!(digit >= 1) || !trial) return;
  if (trial.form.choose && digit <= trial.panels.length) { choose(digit - 1); byId("panels").children[digit - 1].firstChild.focus(); }
  else if (!trial.form.choose && digit <= trial.form.options.length) byId("choices").querySelectorAll("input")[digit - 1].click();
}

function on(id, act) { byId(id).addEventListener("click", act); }

byId("agree").addEventListener("change", () => { byId("begin").disabled = !byId("agree").checked; });
on("begin", () => {
  if (study.post) { byId("begin").disabled = true; return join(); }
  state.consent = new Date().toISOString();
  keep();
  return step();
});
on("decline", () => finallyClosed("declined"));
on("start", () => {
  const chosen = document.querySelector("input[name=colours]:checked");
  state.colours = chosen && chosen.value;
  state.started = true;
  keep();
  if (study.post && state.colours) request("colours", { participant: state.participant, colours: state.colours });
  step();
});
on("next", next);
on("again", () => { byId("again").hidden = byId("skip").hidden = true; hint(words.loading); for (const i of byId("panels").querySelectorAll("img")) if (!i.naturalWidth) i.src = i.dataset.file + "?again=" + draft.failures; arrive(draft); });
on("skip", skip);
on("stopping", () => byId("leave").showModal());
on("stay", () => byId("leave").close());
on("keep", () => shut("stopped"));
on("delete", () => shut("withdrawn"));
on("withdraw", (event) => {
  if (event.target.textContent === words.sure) return shut("withdrawn");
  event.target.textContent = words.sure;
});
on("finish", finish);
on("download", download);
on("another", () => { localStorage.removeItem(place); location.reload(); });
on("large", () => byId("large").close());
document.addEventListener("keydown", onKey);
addEventListener("online", send);
addEventListener("beforeunload", (event) => {
  if (!storage && state.responses.length && !state.over) event.preventDefault();
});
resumed = state.responses.length > 0;
// Only who has left has left for good; everything else may have changed.
if (!study.post || !["stopped", "withdrawn"].includes(state.closed)) state.closed = "";
if (study.post && state.consent && !state.closed) join();
else step();
