// The card beside a citation: where it stands, and the sentences around it. It opens by hover, focus or tap.

import { at, day, element, points, title } from "./page.js";

const DELAY = 150; // milliseconds
let owner = null;
let timer = 0;

export function describe(button, citation) {
  button.addEventListener("pointerenter", ({ pointerType }) => {
    if (pointerType === "mouse") later(() => open(button, citation));
  });
  button.addEventListener("pointerleave", () => later(close));
  button.addEventListener("focus", () => {
    if (button.matches(":focus-visible")) open(button, citation);
  });
  button.addEventListener("blur", close);
  button.addEventListener("click", (event) => {
    if (event.pointerType === "touch" && owner !== button) {
      open(button, citation);
      event.stopImmediatePropagation(); // the first tap opens the card, the next one the source
      event.preventDefault();
    } else close();
  }, { capture: true });
}

export function close() {
  clearTimeout(timer);
  owner?.removeAttribute("aria-describedby");
  if (owner) at("card").hidePopover();
  const was = owner;
  owner = null;
  return Boolean(was);
}

function later(act) {
  clearTimeout(timer);
  timer = setTimeout(act, DELAY);
}

function open(button, citation) {
  close();
  const { document: source, passage, section, start, end } = citation;
  const about = [section, source.date && day(source.date)].filter(Boolean).join(", ");
  const words = element("p", { lang: source.lang, dir: "auto" },
    points(passage.text, 0, start - passage.start),
    element("mark", { textContent: citation.quote }),
    points(passage.text, end - passage.start));
  const card = at("card");
  card.replaceChildren(title(source), element("p", { className: "about", textContent: about }), words);
  card.showPopover();
  button.setAttribute("aria-describedby", "card");
  owner = button;
  follow();
  card.scrollTop = words.querySelector("mark").offsetTop - card.clientHeight / 2;
}

function follow() {
  if (!owner) return;
  const card = at("card");
  const place = owner.getBoundingClientRect();
  const room = { above: place.top - 12, below: innerHeight - place.bottom - 12 };
  card.style.maxHeight = `${Math.min(innerHeight * 0.6, Math.max(room.above, room.below))}px`; // else it covers its button
  const size = card.getBoundingClientRect();
  const below = size.height <= room.below;
  card.style.left = `${Math.max(8, Math.min(place.left, innerWidth - size.width - 8))}px`;
  card.style.top = `${below ? place.bottom + 4 : Math.max(8, place.top - size.height - 4)}px`;
}

at("card").addEventListener("pointerenter", () => clearTimeout(timer));
at("card").addEventListener("pointerleave", () => later(close));
document.addEventListener("pointerdown", ({ target }) => { // where a tap focuses nothing, nothing is blurred either
  if (target !== owner && !at("card").contains(target)) close();
});
addEventListener("scroll", follow, { capture: true, passive: true });
addEventListener("resize", follow);
