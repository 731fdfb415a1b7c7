// The card beside a citation: where it stands, and the sentences around it. It opens by hover, focus or tap.

import { at, element, listed, points, placeAndDate, title } from "./page.js";

const DELAY = 150; // milliseconds
let owner = null;
let timer = 0;
let held = false; // by a finger, for which its button loses the focus

export function describe(button, citation) {
  let pointer = ""; // some browsers do not tell it with the click
  button.addEventListener("pointerenter", ({ pointerType }) => {
    if (pointerType === "mouse") later(() => open(button, citation));
  });
  button.addEventListener("pointerleave", leave);
  button.addEventListener("pointerdown", ({ pointerType }) => { pointer = pointerType; });
  button.addEventListener("focus", () => {
    if (button.matches(":focus-visible")) open(button, citation);
  });
  button.addEventListener("blur", () => held || close());
  button.addEventListener("click", (event) => {
    const tapped = pointer === "touch";
    pointer = "";
    if (tapped && owner !== button) {
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

function leave({ pointerType }) { // a finger leaves whenever it is lifted
  if (pointerType === "mouse") later(close);
}

function later(act) {
  clearTimeout(timer);
  timer = setTimeout(act, DELAY);
}

function open(button, citation) {
  close();
  const { document: source, passage, start, end } = citation;
  const about = element("p", { className: "about" }, ...listed(placeAndDate(citation)));
  const words = element("p", { lang: source.lang, dir: "auto" },
    points(passage.text, 0, start - passage.start),
    element("mark", { textContent: citation.quote }),
    points(passage.text, end - passage.start));
  const card = at("card");
  card.replaceChildren(title(source), about, words);
  card.showPopover();
  button.setAttribute("aria-describedby", "card");
  owner = button;
  held = false;
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
at("card").addEventListener("pointerleave", leave);
document.addEventListener("pointerdown", ({ target }) => { // where a tap focuses nothing, nothing is blurred either
  held = at("card").contains(target);
  if (target !== owner && !held) close();
});
addEventListener("scroll", follow, { capture: true, passive: true });
addEventListener("resize", follow);
