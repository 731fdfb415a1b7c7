// The conversation: asks /ask, keeps the question in the address, and says plainly when it cannot ask.

import { entry, summary } from "./answer.js";
import { close as closeCard } from "./card.js";
import { announce, at, button, call, element, title } from "./page.js";
import { close as closePane, showDocuments } from "./pane.js";

const MAX_QUESTION = 1000; // code points, as in the API
const WAIT = 1000; // milliseconds
const entries = new Map(); // what is on the page, or was: by turn
let turns = []; // {question, scope}: scope is a document, or null for all
let scope = null;
let asking = false;
let watching = false;
let recalled = 0; // how many questions back the arrow key has gone

// --- asking

async function ask(question) {
  if (asking || !question) return;
  if (isTooLong(question)) {
    announce(at("limit").textContent);
    return;
  }
  asking = true;
  const turn = { question, scope };
  say("Searching the documents …");
  at("log").setAttribute("aria-busy", "true");
  try {
    const answer = await answerTo(turn);
    turns = [...turns, turn];
    history.pushState({ turns }, "", address(turn));
    if (written() === question) at("question").value = ""; // else the next one is being written
    say("");
    show();
    announce(summary(answer));
  } catch (error) {
    at("question").value ||= question;
    failed(error, again, address(turn));
  } finally {
    asking = false;
    recalled = 0;
    resized();
    at("log").removeAttribute("aria-busy");
  }
}

function again() {
  toQuestion();
  ask(written());
}

async function answerTo(turn) {
  const body = { question: turn.question, documents: turn.scope && [turn.scope.id] };
  const answer = await (await call("/ask", body)).json();
  entries.set(key(turn), entry(answer, turn.scope, restrict));
  return answer;
}

const key = ({ question, scope: within }) => JSON.stringify([question, within?.id]);

function address({ question, scope: within }) {
  const asked = new URLSearchParams({ q: question });
  if (within) asked.set("in", within.id);
  return `/?${asked}`;
}

function show() {
  at("log").replaceChildren(...turns.map((turn) => entries.get(key(turn))).filter(Boolean));
  document.title = turns.length ? `${turns.at(-1).question} – Attest` : "Attest";
  at("suggestions").hidden = turns.length > 0 || !at("suggestions").querySelector("li");
  at("log").lastElementChild?.scrollIntoView({ block: "start" });
}

// --- the address: Back, Forward, reload and shared links

async function restore(state) {
  const asked = new URLSearchParams(location.search);
  const question = asked.get("q")?.trim();
  turns = state?.turns ?? [];
  if (!turns.length && question) turns = [{ question, scope: await documentOf(asked.get("in")) }];
  scopeTo(turns.at(-1)?.scope ?? null);
  const missing = turns.filter((turn) => !entries.has(key(turn)));
  if (missing.length) say("Searching the documents …");
  let answer;
  for (const turn of missing) answer = await answerTo(turn);
  say("");
  show();
  if (answer) announce(summary(answer));
}

async function documentOf(id) {
  return id ? (await call(`/documents/${encodeURIComponent(id)}`)).json() : null;
}

async function begin() {
  await ready();
  try {
    await Promise.all([restore(history.state), suggest()]);
    show();
  } catch (error) {
    at("question").value ||= turns.at(-1)?.question ?? new URLSearchParams(location.search).get("q") ?? "";
    resized();
    turns = [];
    failed(error, begin);
  }
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

// --- states

function say(words, retry) {
  at("state").hidden = !words;
  at("state").firstElementChild.textContent = words;
  at("again").hidden = !retry;
  at("again").onclick = retry ?? null;
}

function failed(error, retry, place = location.pathname + location.search) {
  at("key").hidden = error.kind !== "unauthorized";
  if (error.kind === "unauthorized") {
    at("key").elements.next.value = place;
    at("key").elements.key.focus();
    say("");
    return;
  }
  say(error.message, retry);
  announce(error.message);
  if (["unreachable", "loading", "index-building", "nothing-indexed"].includes(error.kind)) ready(true);
}

async function ready(again = false) {
  if (watching) return;
  watching = true;
  for (let told = again; ; ) {
    try {
      await call("/readyz");
      if (told) announce("Ready.");
      say(again && at("question").value ? "The service is there again." : "", again ? at("again").onclick : undefined);
      watching = false;
      return;
    } catch (error) {
      say(error.message, again ? at("again").onclick : undefined);
      if (!told) announce(error.message);
      told = true;
      await new Promise((resolve) => setTimeout(resolve, WAIT));
    }
  }
}

async function suggest() {
  const { questions } = await (await call("/suggestions")).json();
  const buttons = questions.slice(0, 4).map((question) => button(question, () => {
    toQuestion();
    ask(question);
  }));
  at("suggestions").querySelector("ul").replaceChildren(...buttons.map((made) => element("li", {}, made)));
}

// --- the question

const written = () => at("question").value.trim();

function toQuestion() {
  if (!matchMedia("(pointer: coarse)").matches) at("question").focus(); // else a keyboard would cover the page
}

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
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !isComposing(event)) closeCard() || closePane();
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    closePane();
    at("question").focus();
  }
});
at("lift").addEventListener("click", () => restrict(null));
at("list").addEventListener("click", () => {
  if (at("list").getAttribute("aria-expanded") === "true") closePane();
  else showDocuments(at("list"), restrict);
});
addEventListener("popstate", ({ state }) => restore(state).catch((error) => failed(error, begin)));

toQuestion();
await begin();
