// The chat page: asks /ask, shows the quote in its sentence, and opens the source at the quote.
// Text reaches the page through textContent alone; offsets count code points, as in the API.

const at = (id) => document.getElementById(id);
const points = (text, start, end) => Array.from(text).slice(start, end).join("");
const reasons = {
  no_relevant_passage: "No passage of these documents is about this.",
  low_confidence: "Some passages are near, but none answers it surely enough.",
};
let opener = null;
let asking = false;

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

async function call(path, body) {
  const headers = { Accept: "application/json" };
  const key = sessionStorage.getItem("api-key");
  if (key) headers.Authorization = `Bearer ${key}`;
  const request = body ? { method: "POST", body: JSON.stringify(body) } : {};
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { ...request, headers });
  } catch {
    throw new Error("The service cannot be reached. Is it still running?");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ detail: `The service answered ${response.status}.` }));
  at("key").hidden = response.status !== 401;
  throw Object.assign(new Error(problem.detail), { status: response.status, kind: problem.type });
}

async function ready() {
  for (;;) {
    try {
      await call("/readyz");
      at("status").textContent = "";
      return;
    } catch (error) {
      at("status").textContent = error.message;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

async function ask(question) {
  if (asking) return;
  asking = true;
  at("question").value = "";
  at("status").textContent = "Searching the documents …";
  try {
    const answer = await (await call("/ask", { question })).json();
    at("status").textContent = "";
    at("suggestions").hidden = true;
    const shown = answer.status === "answered" ? answered(answer) : abstained(answer);
    const warnings = answer.warnings.map((warning) => element("p", "about", warning));
    const entry = element("article", "", element("h2", "", question), ...warnings, shown);
    at("log").append(entry);
    entry.scrollIntoView({ block: "nearest" });
  } catch (error) {
    at("question").value = question;
    at("status").textContent = error.message;
    if (error.kind === "urn:attest:problem:loading") ready();
  } finally {
    asking = false;
  }
}

function answered(answer) {
  const box = element("div", "answer");
  answer.citations.forEach((citation, place) => box.append(...cited(citation, place + 1)));
  const sure = `Confidence ${Math.round(answer.confidence * 100)}%`;
  box.append(element("p", "about", sure));
  return box;
}

function abstained(answer) {
  const box = element("div", "none", element("strong", "", "No answer found. "), reasons[answer.reason]);
  if (answer.related.length) {
    const related = element("div", "related", element("p", "", "Related, not an answer"));
    answer.related.forEach((citation, place) => related.append(...cited(citation, place + 1, false)));
    box.append(related);
  }
  return box;
}

function cited(citation, number, marked = true) {
  const { sentence, start, quote } = citation;
  const begin = start - sentence.start;
  const end = begin + Array.from(quote).length;
  const middle = marked ? element("mark", "", quote) : quote;
  const words = element("blockquote", "", points(sentence.text, 0, begin), middle, points(sentence.text, end));
  const open = element("button", "citation", `[${number}]`);
  open.type = "button";
  open.setAttribute("aria-label", `Source ${number}: show the quote in ${citation.document.title}`);
  open.addEventListener("click", () => show(citation, open));
  const from = [citation.section, citation.document.date].filter(Boolean).map((part) => `, ${part}`).join("");
  const about = element("p", "about", marked ? "Quoted from " : "From ", element("cite", "", citation.document.title), from, open);
  return [words, about];
}

async function show(citation, from) {
  const { document: source, start, end, quote } = citation;
  try {
    const text = Array.from(await (await call(`/documents/${source.id}/text`)).text());
    const found = text.slice(start, end).join("");
    if (found !== quote) throw new Error("The document has changed since this was quoted; ask again.");
    const mark = element("mark", "", found);
    mark.tabIndex = -1;
    at("source-title").textContent = source.title;
    at("source-about").textContent = `${source.uri}, characters ${start}–${end}`;
    at("source-text").replaceChildren(text.slice(0, start).join(""), mark, text.slice(end).join(""));
    at("source").hidden = false;
    opener = from;
    mark.scrollIntoView({ block: "center" });
    mark.focus({ preventScroll: true });
  } catch (error) {
    at("status").textContent = error.message;
  }
}

function closeSource() {
  at("source").hidden = true;
  opener?.focus();
}

async function suggest() {
  const { questions } = await (await call("/suggestions")).json();
  const buttons = questions.slice(0, 4).map((question) => {
    const button = element("button", "", question);
    button.type = "button";
    button.addEventListener("click", () => ask(question));
    return button;
  });
  at("suggestions").replaceChildren(...buttons);
  at("suggestions").hidden = !buttons.length || at("log").hasChildNodes();
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = at("question").value.trim();
  if (question) ask(question);
});
at("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("api-key", at("api-key").value);
  at("key").hidden = true;
  at("status").textContent = "";
  suggest().catch((error) => { at("status").textContent = error.message; });
});
at("source-close").addEventListener("click", closeSource);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !at("source").hidden) closeSource();
});

await ready();
await suggest().catch((error) => { at("status").textContent = error.message; });
