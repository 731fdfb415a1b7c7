// What every part of the page uses: elements, calls to the service, and slices in code points, as in the API.
// Text reaches the page through textContent alone.

const EMPTIED = 100; // milliseconds

export const at = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const { lang, ...others } = properties;
  const made = Object.assign(document.createElement(name), others);
  if (lang !== undefined) made.lang = lang ?? ""; // "" says that the language is not known
  made.append(...children);
  return made;
}

export function button(words, onclick, properties = {}) {
  return element("button", { type: "button", textContent: words, onclick, ...properties });
}

export const points = (text, start, end) => Array.from(text).slice(start, end).join("");

const days = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
export const day = (iso) => days.format(new Date(`${iso}T00:00Z`));

export const title = (source) => element("cite", { textContent: source.title, lang: source.lang, dir: "auto" });

export function placeAndDate({ section: textContent, page, document: { lang, date } }) {
  const section = textContent && element("span", { textContent, lang, dir: "auto" });
  return [section, page && `page ${page}`, date && day(date)].filter(Boolean);
}

export const listed = (parts) => parts.flatMap((part, number) => (number ? [", ", part] : [part]));

let announcing = 0;

export function announce(...parts) {
  clearTimeout(announcing);
  at("announcement").replaceChildren(); // emptied first: the same words twice in a row would be silent
  announcing = setTimeout(() => at("announcement").replaceChildren(...parts), EMPTIED);
}

export function toQuestion() {
  if (!matchMedia("(pointer: coarse)").matches) at("question").focus(); // else a keyboard would cover the page
}

export async function call(path, body) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, body ? { method: "POST", body: JSON.stringify(body), headers } : { headers });
  } catch {
    throw Object.assign(new Error("The service cannot be reached. Is it still running?"), { kind: "unreachable" });
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ detail: `The service answered ${response.status}.` }));
  const kind = (problem.type ?? "").split(":").pop();
  throw Object.assign(new Error(problem.detail), { kind, status: response.status });
}
