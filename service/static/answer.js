// One question with its answer: the quote in its sentence, where it stands, how sure it is.

import { announce, button, day, element, listed, points, placeAndDate, title } from "./page.js";
import { describe } from "./card.js";
import { showSource } from "./pane.js";

const reasons = {
  no_relevant_passage: "No passage of these documents is about this.",
  low_confidence: "Some passages are near, but none answers it surely enough.",
};
const DIFFERING = "Other documents answer differently";
const COPY = "Copy with source";
const sureness = [
  [0.9, "Very likely right"],
  [0.7, "Likely right"],
  [0.5, "More likely right than wrong"],
  [0, "Uncertain: check the source"],
];

export function entry({ question, scope }, answer, restrict) {
  const made = article(question, scope);
  for (const warning of answer.warnings) made.append(element("p", { className: "about", textContent: warning }));
  made.append(answer.status === "answered" ? answered(answer, restrict) : abstained(answer, scope));
  return made;
}

export function failedEntry({ question, scope }, error, retry) {
  const made = article(question, scope);
  const again = element("p", { className: "actions" }, button("Try again", retry));
  made.append(element("div", { className: "none" }, element("p", { textContent: error.message }), again));
  return made;
}

function article(question, scope) {
  const made = element("article", {}, element("h2", { textContent: question, dir: "auto" }));
  if (scope) made.append(element("p", { className: "about" }, "in: ", title(scope)));
  return made;
}

export function summary(answer) {
  if (answer.status !== "answered") return [`No answer found. ${reasons[answer.reason]}`];
  const { quote: textContent, document: source } = answer.citations[0];
  const quote = element("span", { textContent, lang: source.lang, dir: "auto" });
  const otherwise = answer.differing.length ? ` (${DIFFERING})` : "";
  return ["Answer, quoted from ", title(source), ": ", quote, otherwise];
}

function answered(answer, restrict) {
  const [first, ...further] = answer.citations;
  const box = element("div", { className: "answer" }, cited(first, 1));
  if (further.length) {
    box.append(element("h3", { textContent: "The same elsewhere" }));
    further.forEach((citation, place) => box.append(cited(citation, place + 2)));
  }
  if (answer.differing.length) {
    box.append(element("h3", { textContent: DIFFERING }));
    const numbered = answer.differing.map((citation, place) => [citation, answer.citations.length + place + 1]);
    const sides = [[first, 1], ...numbered].map(([citation, number]) => {
      const { quote: textContent, document: { lang } } = citation;
      const value = element("p", { className: "value", textContent, lang, dir: "auto" });
      return element("div", {}, value, number > 1 ? cited(citation, number) : from(citation, number, "Above, from "));
    });
    box.append(element("div", { className: "sides" }, ...sides));
  }
  const words = sureness.find(([least]) => answer.confidence >= least)[1];
  const percent = Math.round(answer.confidence * 100);
  const meaning = `Of the answers given with this confidence, about ${percent} in 100 were right on the questions that it was measured on. It says nothing about whether the document itself is right.`;
  box.append(
    element("details", {}, element("summary", { textContent: `${words} (${percent}%)` }), element("p", { textContent: meaning })),
    element("p", { className: "actions" },
      button(COPY, ({ currentTarget }) => copy(answer, currentTarget)),
      button("Ask on in this document", () => restrict(first.document))),
  );
  return box;
}

function abstained(answer, scope) {
  const box = element("div", { className: "none" });
  box.append(element("p", {}, element("strong", { textContent: "No answer found." }), ` ${reasons[answer.reason]}`));
  box.append(element("p", { className: "about" }, "Searched: ", scope ? title(scope) : "all documents", "."));
  if (answer.related.length) {
    box.append(element("h3", { textContent: "Related, not an answer" }));
    answer.related.forEach((citation, place) => box.append(cited(citation, place + 1, false)));
  }
  return box;
}

function cited(citation, number, isAnswer = true) {
  const { sentence, start, end, document: source } = citation;
  const begin = start - sentence.start;
  const quote = element("blockquote", { lang: source.lang, dir: "auto" });
  if (isAnswer) {
    quote.append(
      points(sentence.text, 0, begin),
      element("mark", { textContent: citation.quote }),
      points(sentence.text, end - sentence.start),
    );
  } else quote.append(sentence.text);
  return element("figure", {}, quote, from(citation, number, isAnswer ? "Quoted from " : "From "));
}

function from(citation, number, words) {
  const source = citation.document;
  const open = button(`[${number}]`, () => showSource(citation, open), { className: "citation" });
  open.setAttribute("aria-label", `Source ${number}: show it in ${source.title}`);
  describe(open, citation);
  return element("figcaption", {}, words, ...listed([title(source), ...placeAndDate(citation)]), " ", open);
}

export const permalink = ({ document: { id, sha256 }, start, end }) =>
  new URL(`/documents/${id}/view?start=${start}&end=${end}&sha256=${sha256}#quote`, location.href).href;

function reference(citation, number) {
  const { document: source, section, page, start, end } = citation;
  const place = `characters ${start}–${end} of ${source.uri}`;
  const parts = [source.title, section, page && `page ${page}`, source.date && day(source.date), place];
  return `[${number + 1}] ${parts.filter(Boolean).join(", ")}\n${permalink(citation)}`;
}

async function copy(answer, pressed) {
  const [first] = answer.citations;
  const words = `“${first.quote}” [1]\n\n${answer.citations.map(reference).join("\n")}\n`;
  try {
    await navigator.clipboard.writeText(words);
    pressed.textContent = "Copied";
    announce("Copied.");
    setTimeout(() => { pressed.textContent = COPY; }, 2000);
  } catch { // not allowed, or not served over https
    const box = element("textarea", { className: "copy", value: words, readOnly: true, rows: 5 });
    pressed.replaceWith(element("label", {}, "This browser does not let the page copy. Copy it from here:", box));
    box.focus();
    box.select();
  }
}
