// Make elements, and write numbers and times. Texts only ever become text nodes.

/**
 * Make an element.
 *
 * @param {string} tag The name of the element, with classes after dots: "p.note".
 * @param {object} given Attributes; functions under "on…" become listeners. False and null are
 *     left out, and true is an attribute without a value.
 * @param {...(Node|string|null)} children What it contains. Strings become text nodes.
 */
export function make(tag, given = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(given)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Say something to screen readers. */
export function announce(text) {
  document.getElementById("announcement").textContent = text;
}

/** Write a share as a percentage, without calling an almost certain class certain. */
export function percent(share, digits = 1) {
  const shown = 100 * share;
  const least = 10 ** -digits;
  if (shown > 100 - least / 2 && share < 1) return `> ${(100 - least).toFixed(digits)} %`;
  if (shown < least / 2 && share > 0) return `< ${least.toFixed(digits)} %`;
  return `${shown.toFixed(digits)} %`;
}

/** Write a difference of shares in percentage points, with its sign. */
export function points(share) {
  const shown = (100 * Math.abs(share)).toFixed(1);
  return Number(shown) === 0 ? "0.0" : `${share < 0 ? "−" : "+"}${shown}`;
}

/** Write a number with separators of thousands. */
export function count(number) {
  return number.toLocaleString("en-GB");
}

/** Write a number with its noun, for example "1 row" or "2,000 rows". */
export function countOf(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Write a duration in seconds. */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round(seconds % 60);
  if (minutes < 60) return `${minutes} min ${rest} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Write a time in the reader's own form. */
export function moment(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Wait, unless the signal ends the wait. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
