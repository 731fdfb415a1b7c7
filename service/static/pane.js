// The pane beside the conversation: a source at its quote, or the list of documents.

import { announce, at, button, call, day, element, listed, placeAndDate, title } from "./page.js";
import { failed } from "./state.js";

const narrow = matchMedia("(max-width: 60rem)");
const CHANGED = "This document has changed since it was quoted, so the quote cannot be shown in it. Ask again.";
const PANE_LEVEL = 2; // the heading that the document's own stand under
let opener = null;
let latest = 0;

export async function showSource(citation, from) {
  const { document: source, start, end, quote } = citation;
  const number = begin(from, source.title, source.lang);
  const quoted = start !== undefined;
  const place = [...placeAndDate(citation), source.uri, ...(quoted ? [`characters ${start}–${end}`] : [])];
  try {
    const [{ text, sha256 }, markup] = await Promise.all([textOf(source.id), json(`/documents/${source.id}/markup`)]);
    if (number !== latest) return;
    const found = quoted ? text.slice(start, end).join("") : undefined;
    const same = [sha256, markup.sha256].every((hash) => hash === source.sha256);
    if (!same || found !== quote) {
      at("pane-about").textContent = "";
      fill(element("p", { className: "none", textContent: CHANGED }));
      announce(CHANGED);
      return;
    }
    const own = element("a", { href: `/documents/${source.id}/view`, textContent: "On a page of its own" });
    if (quoted) own.href += `?start=${start}&end=${end}&sha256=${sha256}#quote`;
    at("pane-about").replaceChildren(...listed(place), ". ", own);
    const words = element("div", { className: "text", lang: source.lang });
    append(words, text, markup.runs, 0, quoted ? start : text.length);
    if (!quoted) {
      fill(words);
      return;
    }
    const mark = element("mark", { tabIndex: -1 });
    append(mark, text, markup.runs, start, end);
    words.append(mark);
    append(words, text, markup.runs, end, text.length);
    fill(words);
    centre(mark);
    if (document.activeElement === at("pane-title")) mark.focus({ preventScroll: true }); // else it was moved meanwhile
  } catch (error) {
    if (number === latest) fail(error, () => showSource(citation, from));
  }
}

export async function showDocuments(from, restrict) {
  const number = begin(from, "Documents", "en");
  at("list").setAttribute("aria-expanded", "true");
  try {
    const { documents, unread, more_unread: more = 0 } = await json("/documents");
    if (number !== latest) return;
    const list = element("ul", { className: "documents" }, ...documents.map((source) => {
      const about = [source.date && day(source.date), `${source.characters.toLocaleString("en")} characters`, source.uri];
      return element("li", {}, title(source),
        element("p", { className: "about", textContent: about.filter(Boolean).join(", ") }),
        button("Read", () => showSource({ document: source }, opener)),
        button("Ask in it", () => { close(); restrict(source); }));
    }));
    at("pane-about").textContent = documents.length === 1 ? "1 document" : `${documents.length} documents`;
    fill(list);
    if (unread.length) {
      const files = unread.map(({ path, reason }) => element("li", { textContent: `${path}: ${reason}` }));
      if (more) files.push(element("li", { textContent: `and ${more.toLocaleString("en")} more` }));
      const heading = element("h3", { textContent: "Not read at the last indexing" });
      at("pane-body").append(heading, element("ul", {}, ...files));
    }
  } catch (error) {
    if (number === latest) fail(error, () => showDocuments(from, restrict));
  }
}

export function close() {
  if (at("pane").hidden) return false;
  latest += 1;
  at("pane").hidden = true;
  at("conversation").inert = false;
  at("list").setAttribute("aria-expanded", "false");
  (opener?.isConnected ? opener : at("question")).focus();
  return true;
}

function begin(from, heading, lang) {
  opener = from;
  at("pane-title").textContent = heading;
  at("pane-title").lang = lang ?? "";
  at("pane-about").textContent = "Loading …";
  at("pane-body").replaceChildren();
  at("pane").hidden = false;
  at("conversation").inert = narrow.matches;
  at("list").setAttribute("aria-expanded", "false");
  at("pane-title").focus({ preventScroll: true });
  latest += 1;
  return latest;
}

function fill(content) {
  at("pane-body").replaceChildren(content);
  at("pane-body").scrollTop = 0;
}

function centre(mark) { // by hand: scrollIntoView would scroll the conversation too
  const body = at("pane-body");
  const [{ top, height }, around] = [mark, body].map((one) => one.getBoundingClientRect());
  body.scrollTop += top - around.top - Math.max(0, (around.height - height) / 2);
}

function fail(error, retry) {
  close();
  failed(error, retry);
}

async function json(path) {
  return (await call(path)).json();
}

async function textOf(id) {
  const response = await call(`/documents/${id}/text`);
  const sha256 = response.headers.get("ETag")?.match(/"(.*)"/)?.[1]; // a proxy that compresses makes it weak: W/"…"
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // else a mark at the beginning would be lost
  return { text: Array.from(decoder.decode(await response.arrayBuffer())), sha256 };
}

function append(words, text, runs, start, end) {
  let last = start;
  let heading = null; // what its runs go into
  for (const run of runs) {
    const [left, right] = [Math.max(run.start, start), Math.min(run.end, end)];
    if (left >= right) continue;
    words.append(text.slice(last, left).join(""));
    if (left > last || !run.styles.includes("heading")) heading = null;
    if (run.styles.includes("heading") && !heading) {
      heading = element("span", { role: "heading", ariaLevel: PANE_LEVEL + levelOf(text, left) });
      words.append(heading);
    }
    const shown = element("span", { className: run.styles.join(" "), textContent: text.slice(left, right).join("") });
    (heading ?? words).append(shown);
    last = right;
  }
  words.append(text.slice(last, end).join(""));
}

function levelOf(text, start) { // by the signs before it; as service/pages.py does
  let end = start;
  while ("#=".includes(text[start]) && text[end] === text[start]) end += 1;
  return Math.max(1, end - start);
}

narrow.addEventListener("change", () => { at("conversation").inert = narrow.matches && !at("pane").hidden; });
at("close").addEventListener("click", close);
