// What the page says of itself: that it searches, that it must wait, or that it cannot, and how to go on then.

import { announce, at, call, toQuestion } from "./page.js";

const WAIT = 1000; // milliseconds
const PASSING = ["unreachable", "loading", "index-building", "nothing-indexed"];
let offered = null; // what "Try again" does
let watching = false;

export function say(words, retry = null) {
  offered = retry;
  at("key").hidden = true;
  at("state").hidden = !words;
  at("state").firstElementChild.textContent = words;
  at("again").hidden = !retry;
}

export function failed(error, retry, address = location.pathname + location.search) {
  const locked = error.kind === "unauthorized";
  if (locked) {
    say("");
    at("key").hidden = false;
    at("key").elements.next.value = address;
    at("key").elements.key.focus();
    return;
  }
  say(error.message, retry);
  at("state").scrollIntoView({ block: "nearest" });
  announce(error.message);
  if (PASSING.includes(error.kind)) ready(true);
}

// Wait until the service is ready; `again`: it was before, and what failed may be tried again meanwhile.
export async function ready(again = false) {
  if (watching) return;
  watching = true;
  for (let told = again; ; told = true) {
    if (told) await new Promise((resolve) => setTimeout(resolve, WAIT));
    try {
      await call("/readyz");
      if (told) announce("Ready.");
      break;
    } catch (error) {
      if (!again || offered) say(error.message, offered);
      if (!told) announce(error.message);
    }
  }
  watching = false;
  if (!again) say("");
  else if (offered) say("The service is there again.", offered);
}

at("again").addEventListener("click", () => {
  const retry = offered;
  say("");
  toQuestion();
  retry();
});
