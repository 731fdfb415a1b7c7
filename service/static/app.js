// The conversation: asks /ask, keeps the questions in the address and its history, and brings them back from there.

import { entry, failedEntry, summary } from "./answer.js";
import { close as closeCard } from "./card.js";
import { announce, at, button, call, element, title, toQuestion } from "./page.js";
import { close as closePane, showDocuments } from "./pane.js";
import { failed, ready, say } from "./state.js";

const MAX_QUESTION = 1000; // code points, as in the API
const entries = new Map(); // what is on the page, or was: by the id of its turn
let turns = []; // {id, question, scope}: scope is a document, or null for all
let scope = null;
let asking = false;
let restored = 0; // how often the turns were taken from the address
let recalled = 0; // how many questions back the arrow key has gone

// --- asking

async function ask(question, within = scope) {
  if (asking) return;
  if (!question) {
    say("Write a question first.");
    toQuestion();
    return;
  }
  if (isTooLong(question)) {
    announce(at("limit").textContent);
    return;
  }
  asking = true;
  const turn = made(question, within);
  say("Searching the documents …");
  at("log").setAttribute("aria-busy", "true");
  try {
    const told = await answer(turn);
    turns = [...turns, turn];
    history.pushState({ turns }, "", address(turn));
    if (written() === question) at("question").value = ""; // else the next one is being written
    say("");
    show();
    announce(...told);
  } catch (error) {
    at("question").value ||= question;
    failed(error, () => ask(question, within), address(turn));
  } finally {
    asking = false;
    recalled = 0;
    resized();
    at("log").removeAttribute("aria-busy");
  }
}

const made = (question, within) => ({ id: Date.now(), question, scope: within });

async function answer(turn) {
  const body = { question: turn.question, documents: turn.scope && [turn.scope.id] };
  const given = await (await call("/ask", body)).json();
  entries.set(turn.id, entry(turn, given, restrict));
  return summary(given);
}

function address({ question, scope: within }) {
  const asked = new URLSearchParams({ q: question });
  if (within) asked.set("in", within.id);
  return `/?${asked}`;
}

function show() { // what stays is not touched, so that it keeps its focus and its selection
  const log = at("log");
  const shown = turns.map(({ id }) => entries.get(id)).filter(Boolean);
  const gone = [...log.children].filter((one) => !shown.includes(one));
  const isNew = (one) => !one.isConnected;
  const differs = gone.length > 0 || shown.some(isNew);
  if (gone.length) closeCard();
  gone.forEach((one) => one.remove());
  shown.forEach((one, number) => isNew(one) && log.insertBefore(one, log.children[number] ?? null));
  document.title = turns.length ? `${turns.at(-1).question} – Attest` : "Attest";
  offer();
  if (differs) log.lastElementChild?.scrollIntoView({ block: "start" });
}

// --- the address: Back, Forward, reload and shared links

async function begin() {
  await ready();
  try {
    await restore(history.state);
    await suggest();
  } catch (error) {
    failed(error, begin);
  }
}

async function restore(state) { // one that begins later wins
  restored += 1;
  const number = restored;
  const found = state?.turns ?? await linked();
  if (number !== restored) return;
  turns = found;
  history.replaceState({ turns }, "");
  scopeTo(turns.at(-1)?.scope ?? null);
  show();
  await complete();
}

async function linked() {
  const asked = new URLSearchParams(location.search);
  const question = asked.get("q")?.trim();
  return question ? [made(question, await documentOf(asked.get("in")))] : [];
}

async function documentOf(id) {
  if (!id) return null;
  try {
    const { title: name, lang } = await (await call(`/documents/${encodeURIComponent(id)}`)).json();
    return { id, title: name, lang };
  } catch (error) {
    if (error.status !== 404) throw error;
    return { id, title: id }; // asking in it will say that there is none
  }
}

async function complete() { // ask what has no answer yet
  const number = restored;
  const missing = turns.filter(({ id }) => !entries.has(id));
  if (missing.length) say("Searching the documents …");
  let told;
  for (const turn of missing) {
    told = await answer(turn).catch((error) => unanswered(turn, error));
    if (number !== restored) return;
  }
  if (!asking) say("");
  show();
  if (told) announce(...told);
}

function unanswered(turn, error) {
  if (error.kind === "unauthorized") throw error;
  entries.set(turn.id, failedEntry(turn, error, () => {
    toQuestion();
    entries.delete(turn.id);
    complete().catch((again) => failed(again, begin));
  }));
  return [error.message];
}

// --- restricting to a document

function restrict(source) {
  scopeTo(source);
  at("question").focus();
}

function scopeTo(source) {
  scope = source && { id: source.id, title: source.title, lang: source.lang };
  at("scope").hidden = !scope;
  if (scope) at("scope").firstElementChild.replaceChildren("in: ", title(scope));
}

// --- suggestions

async function suggest() {
  const { questions } = await (await call("/suggestions")).json();
  const buttons = questions.slice(0, 4).map((question) => button(question, () => {
    toQuestion();
    ask(question);
  }));
  at("suggestions").querySelector("ul").replaceChildren(...buttons.map((one) => element("li", {}, one)));
  offer();
}

function offer() {
  at("suggestions").hidden = turns.length > 0 || !at("suggestions").querySelector("li");
}

// --- the question

const written = () => at("question").value.trim();

function isTooLong(question) {
  return Array.from(question).length > MAX_QUESTION;
}

function resized() {
  const box = at("question");
  const count = Array.from(written()).length;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
  box.setAttribute("aria-invalid", String(count > MAX_QUESTION));
  at("limit").textContent = count > MAX_QUESTION * 0.9 ? `${count} of ${MAX_QUESTION} characters` : "";
  if (count > MAX_QUESTION) at("limit").textContent += `: ${count - MAX_QUESTION} too many`;
}

function recall(back) {
  const next = recalled + back;
  if (next < 0 || next > turns.length) return;
  recalled = next;
  at("question").value = recalled ? turns.at(-recalled).question : "";
  resized();
}

const isComposing = (event) => event.isComposing || event.keyCode === 229; // 229: how Safari says it

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(written());
});
at("question").addEventListener("input", () => {
  recalled = 0;
  resized();
});
at("question").addEventListener("keydown", (event) => {
  if (isComposing(event)) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    ask(written());
  } else if (event.key === "ArrowUp" && (!at("question").value || recalled)) {
    event.preventDefault();
    recall(1);
  } else if (event.key === "ArrowDown" && recalled) {
    event.preventDefault();
    recall(-1);
  }
});
at("lift").addEventListener("click", () => restrict(null));
at("list").addEventListener("click", () => {
  if (at("list").getAttribute("aria-expanded") === "true") closePane();
  else showDocuments(at("list"), restrict);
});
addEventListener("popstate", ({ state }) => restore(state).catch((error) => failed(error, begin)));

new ResizeObserver(() => { // so that what is focused is not scrolled under the form
  document.documentElement.style.setProperty("--form", `${at("ask").offsetHeight}px`);
}).observe(at("ask"));

// --- keys for the whole page

let kept = {};
try {
  kept = localStorage;
} catch { /* nothing may be kept: what is chosen lasts until the page is left */ }

function tellShortcut() {
  at("shortcut").textContent = `Shortcut “/” to the question: ${kept.shortcut ?? "on"}`;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !isComposing(event)) closeCard() || closePane();
  const reading = event.target === document.body || at("log").contains(event.target);
  const typing = event.target.matches("textarea");
  const alone = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key === "/" && reading && !typing && alone && kept.shortcut !== "off") {
    event.preventDefault();
    closePane();
    at("question").focus();
  }
});
at("shortcut").addEventListener("click", () => {
  kept.shortcut = kept.shortcut === "off" ? "on" : "off";
  tellShortcut();
});

tellShortcut();
toQuestion();
await begin();
