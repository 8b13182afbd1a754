/** The page: it connects the settings, the worker and the views. */

import { debounced, isCalm, make, part, say } from "./dom.js";
import { startEngine } from "./client.js";
import { clockOf, fromHash, seedAfter, seedOf, toHash } from "./settings.js";
import { tokenAt, visibleText, whole } from "./text.js";
import { nodeCounts, treeView } from "./tree.js";
import { showBars } from "./bars.js";
import { markTile, showScore } from "./score.js";
import { wordList } from "./words.js";
import { player } from "./player.js";
import { explain, highlight } from "./explain.js";
import { openNodePanel } from "./node_panel.js";
import { coreOf, listCores, showChip } from "./chip.js";
import { comparison } from "./compare.js";
import { listenForModels } from "./own_model.js";
import { listenForPico } from "./pico.js";
import { showFacts } from "./facts.js";

/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Film} Film */
/** @typedef {import("./types.js").CoreCosts} CoreCosts */
/** @typedef {import("./types.js").PageModel} PageModel */

/** Index of the user's own model. */
const OWN = -1;

/** @type {Uint8Array[]} the parts that `boot.js` has unpacked */
const parts = /** @type {any} */ (window).parts;
/** @type {{models: PageModel[], has_pico_program: boolean}} */
const data = JSON.parse(new TextDecoder().decode(parts[0]));
const engine = startEngine(parts);
const alertBox = part("alert", HTMLElement);

let settings = fromHash(location.hash, data.models.length);
/** @type {{name: string, blob: ArrayBuffer} | null} */
let own = null;
/** @type {{facts: Facts, film: Film | null, costs: CoreCosts[]} | null} */
let open = null;
/** Numbers of the newest opening and of the newest word: older answers are dropped. */
let openings = 0;
let wordRuns = 0;

const words = wordList(engine, attempt, (word) => attempt(async () => {
  playing.stop();
  await showWord(word, isCalm() ? null : 0);
  if (!isCalm()) playing.start(true);
}));
const tree = treeView({ open: openNode, point: highlight });
const playing = player(showTime, () => attempt(async () => {
  const word = await words.following();
  if (word !== undefined) await showWord(word, 0);
}));
const compare = data.models.length > 1 ? comparison(data.models, () => startEngine(parts)) : null;

/** Compares after a pause, because a comparison asks all models. */
const compareSoon = debounced(300, () => {
  if (!compare || !open?.film) return;
  compare.update(open.film.characters.join(""), sampling(), settings.prompt);
});
/** Writes the address after a pause, because browsers limit such writes. */
const saveSoon = debounced(400, () => {
  const hash = toHash(settings);
  if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname + location.search);
});
const listSoon = debounced(250, async () => {
  if (await listNames() !== null && open?.film) nameWord(open.film.characters.join(""));
});
const playSoon = debounced(300, playNames);

/**
 * Runs a task with names. An error stops the player and is shown above the names.
 * @param {() => Promise<void>} task
 */
async function attempt(task) {
  try {
    await task();
  } catch (error) {
    playing.stop();
    say(part("prompt-error", HTMLElement), error);
  }
}

/** @param {import("./tree.js").TreeNode} node */
function openNode(node) {
  playing.stop();
  openNodePanel(node);
}

/** @returns {import("./types.js").Sampling} */
function sampling() {
  return { seed: settings.seed, temperature_milli: settings.temperature, top_k: settings.top_k };
}

/**
 * Shows a time of the shown word in all views.
 * @param {number} time
 */
function showTime(time) {
  if (!open?.film) return;
  const { facts, film } = open;
  const length = film.characters.length;
  settings.time = time === length ? null : time;
  tree.show(facts, film, time);
  const { all, computed } = nodeCounts(facts);
  const before = visibleText(film.characters.slice(0, time).join(""));
  const read = time === 0 ? "At the start of a word" : `After \u201c${before}\u201d`;
  part("status", HTMLElement).textContent =
    `${read}: ${computed} of ${whole(all)} nodes computed, ${whole(all - computed)} kept`;
  playing.mark();
  markTile(time);
  showDistribution();
  compare?.show(film.characters.join(""), time);
  saveSoon();
}

/** Shows the probabilities of the next character. */
function showDistribution() {
  if (!open?.film) return;
  const { facts, film } = open;
  const time = playing.time();
  const taken = tokenAt(facts.characters, film.characters, time);
  showBars(facts, film.steps[time].logits, settings.temperature, settings.top_k, taken);
}

/** Shows the needs on the chosen chip. */
function showCosts() {
  if (!open?.film || open.costs.length === 0) return;
  showChip(coreOf(open.costs, settings.core), settings.clock, open.film.characters);
}

/**
 * Computes and shows a word. It throws the runtime's error for a word that the model cannot read.
 * @param {string} word
 * @param {number | null} time null for the end of the word
 */
async function showWord(word, time) {
  wordRuns += 1;
  const mine = wordRuns;
  const film = await engine.film(word);
  if (mine !== wordRuns || !open) return;
  open.film = film;
  say(part("word-error", HTMLElement), "");
  nameWord(word);
  showScore(open.facts, film, (to) => {
    playing.stop();
    playing.go(to);
  });
  showCosts();
  playing.load(film.characters);
  playing.go(time ?? film.characters.length);
  compareSoon();
}

/**
 * Keeps the shown word in the settings, and marks the word in the list.
 * @param {string} word
 */
function nameWord(word) {
  settings.word = word === words.first() ? null : word;
  words.mark(word);
  saveSoon();
}

/**
 * Begins the list of names again. It returns the first name, or null if a newer list has begun, or undefined after an
 * error.
 * @returns {Promise<string | null | undefined>}
 */
async function listNames() {
  if (!open) return null;
  const alert = part("prompt-error", HTMLElement);
  say(alert, "");
  saveSoon();
  compareSoon();
  try {
    return await words.begin(open.facts, sampling(), settings.prompt);
  } catch (error) {
    say(alert, error);
    return undefined;
  }
}

/** Begins the list of names, and plays the first one. A refused beginning leaves the shown word. */
function playNames() {
  return attempt(async () => {
    playing.stop();
    const first = await listNames();
    if (typeof first !== "string") return;
    await showWord(first, isCalm() ? null : 0);
    if (!isCalm()) playing.start(true);
  });
}

/**
 * Opens a model, and shows its names. It throws the runtime's error if the model is refused: then the open model stays.
 * @param {number} index
 * @param {{name: string, blob: ArrayBuffer} | null} candidate the user's model, if the index is `OWN`
 */
async function openModel(index, candidate) {
  playing.stop();
  const facts = await (candidate ? engine.openOwn(candidate.blob) : engine.open(index));
  // The worker answers in order: this is the newest model that it has opened.
  openings += 1;
  const mine = openings;
  const shown = open?.film?.characters.join("") ?? settings.word;
  settings.model = index;
  settings.top_k = Math.min(settings.top_k, facts.characters.length);
  if (candidate) {
    own = candidate;
    say(part("own-error", HTMLElement), "");
  }
  open = { facts, film: null, costs: [] };
  showFacts(facts, candidate?.name ?? data.models[index].name);
  explain(facts);
  part("top-k", HTMLInputElement).max = String(facts.characters.length);
  showSettings();
  const isFresh = shown === null && settings.time === null;
  const first = await listNames();
  if (mine !== openings) return;
  if (first !== null) {
    const start = isFresh && !isCalm() ? 0 : settings.time;
    // The new model may not know the characters of the shown word.
    await showWord(shown ?? first ?? "", start).catch(async (error) => {
      await showWord(first ?? "", null);
      say(part("word-error", HTMLElement), error);
    });
    if (isFresh && !isCalm()) playing.start(true);
  }
  await loadCosts(mine);
}

/**
 * Loads the needs of the open model on each core.
 * @param {number} mine number of the opening
 */
async function loadCosts(mine) {
  const alert = part("chip-error", HTMLElement);
  try {
    const costs = await engine.costs();
    if (mine !== openings || !open) return;
    say(alert, "");
    open.costs = costs;
    if (costs.every(({ core }) => core !== settings.core)) settings.core = "";
    saveSoon();
    listCores(costs, settings.core);
    showCosts();
  } catch (error) {
    say(alert, error);
  }
}

/**
 * Opens the page's model with this index or the user's model, and shows an error at the top of the page.
 * @param {number} index
 */
function reopen(index) {
  say(alertBox, "");
  openModel(index, index === OWN ? own : null).catch((error) => {
    say(alertBox, error);
    showModels();
  });
}

/** Shows the settings in the controls. */
function showSettings() {
  part("prompt", HTMLInputElement).value = settings.prompt;
  part("seed", HTMLInputElement).value = settings.seed;
  part("temperature", HTMLInputElement).value = String(settings.temperature / 1000);
  part("top-k", HTMLInputElement).value = String(settings.top_k);
  part("clock", HTMLInputElement).value = settings.clock === null ? "" : String(settings.clock);
  say(part("seed-error", HTMLElement), "");
  showSliders();
  showModels();
}

/** Shows the choice of models, if there are several. */
function showModels() {
  const choices = data.models.map(({ name, precision }, index) => ({ name: `${precision} (${name})`, index }));
  if (own) choices.push({ name: own.name, index: OWN });
  const group = part("models", HTMLFieldSetElement);
  group.hidden = choices.length < 2;
  const radios = choices.map(({ name, index }) => {
    const radio = make("input", { type: "radio", name: "model", value: String(index) });
    radio.checked = index === settings.model;
    radio.addEventListener("change", () => reopen(index));
    return make("label", {}, radio, name);
  });
  const focused = document.activeElement?.closest("#models label");
  const at = focused ? Array.from(group.querySelectorAll("label")).findIndex((label) => label === focused) : -1;
  group.replaceChildren(make("legend", {}, "Model"), ...radios);
  // The keyboard stays at its place.
  radios[at]?.querySelector("input")?.focus();
}

/** Shows the values beside the sliders. */
function showSliders() {
  part("temperature-value", HTMLElement).textContent = (settings.temperature / 1000).toFixed(2);
  part("top-k-value", HTMLElement).textContent = settings.top_k === 0 ? "all" : String(settings.top_k);
}

function listenForSettings() {
  const prompt = part("prompt", HTMLInputElement);
  prompt.addEventListener("input", () => {
    settings.prompt = prompt.value;
    playSoon();
  });
  const seed = part("seed", HTMLInputElement);
  seed.addEventListener("input", () => {
    const value = seedOf(seed.value);
    say(part("seed-error", HTMLElement), value === null ? "A seed is an integer from 0 to 2^64 - 1." : "");
    if (value === null) return;
    settings.seed = value;
    playNames();
  });
  part("new", HTMLButtonElement).addEventListener("click", () => {
    settings.seed = seedAfter(settings.seed);
    seed.value = settings.seed;
    say(part("seed-error", HTMLElement), "");
    playNames();
  });
  const temperature = part("temperature", HTMLInputElement);
  const topK = part("top-k", HTMLInputElement);
  const slide = () => {
    settings.temperature = Math.round(Number(temperature.value) * 1000);
    settings.top_k = Number(topK.value);
    showSliders();
    showDistribution();
    listSoon();
  };
  temperature.addEventListener("input", slide);
  topK.addEventListener("input", slide);
  const core = part("core", HTMLSelectElement);
  core.addEventListener("change", () => {
    settings.core = core.value;
    settings.clock = null;
    part("clock", HTMLInputElement).value = "";
    showCosts();
    saveSoon();
  });
  const clock = part("clock", HTMLInputElement);
  clock.addEventListener("input", () => {
    settings.clock = clockOf(clock.value);
    showCosts();
    saveSoon();
  });
  const word = part("word", HTMLInputElement);
  part("look", HTMLFormElement).addEventListener("submit", async (event) => {
    event.preventDefault();
    const alert = part("word-error", HTMLElement);
    say(alert, "");
    playing.stop();
    await showWord(word.value, null).catch((error) => say(alert, error));
  });
}

function listenForPointing() {
  for (const element of document.querySelectorAll("[data-explains]")) {
    const name = element.getAttribute("data-explains") ?? "";
    for (const event of ["pointerenter", "focusin"]) element.addEventListener(event, () => highlight(name));
    for (const event of ["pointerleave", "focusout"]) element.addEventListener(event, () => highlight(""));
  }
}

function listenForSpeed() {
  const button = part("measure", HTMLButtonElement);
  button.addEventListener("click", async () => {
    const result = part("measured", HTMLElement);
    button.disabled = true;
    result.textContent = "It draws names for a second \u2026";
    try {
      result.textContent = `${whole(await engine.speed(1000))} characters per second in this browser`;
    } catch (error) {
      say(result, error);
    }
    button.disabled = false;
  });
}

listenForSettings();
listenForPointing();
listenForSpeed();
listenForModels(async (name, read) => {
  const alert = part("own-error", HTMLElement);
  say(alert, "");
  try {
    await openModel(OWN, { name, blob: await read() });
  } catch (error) {
    say(alert, `${name}: ${error instanceof Error ? error.message : error}`);
    part("own-model", HTMLElement).scrollIntoView({ block: "nearest" });
  }
});
part("pico", HTMLElement).hidden = !data.has_pico_program;
if (data.has_pico_program) listenForPico(engine);
part("compare", HTMLElement).hidden = compare === null;
part("close-panel", HTMLButtonElement).addEventListener("click", () => part("node-panel", HTMLDialogElement).close());
// A jump to #stage would replace the settings in the address.
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  part("stage", HTMLElement).focus();
});
addEventListener("hashchange", () => {
  settings = fromHash(location.hash, data.models.length);
  open = null;
  reopen(settings.model);
});
reopen(settings.model);
