// Send many texts in requests within the limits of the server, and wait when it is busy.
import { ask } from "./api.js";
import { pause } from "./dom.js";

const FIRST = 16;
const FAST = 400;
const SLOW = 1500;
const MAX_FAILURES = 5;

const encoder = new TextEncoder();

/**
 * Classify texts.
 *
 * Requests become larger while answers are fast and smaller while they are slow, so that progress
 * is visible and other users of the server wait briefly.
 *
 * @param {object} job What to do:
 *     texts: texts or pairs; null has no text and gets no prediction;
 *     start: the first text, so that a stopped job can continue;
 *     models: the names of the classifiers;
 *     limits: the limits of the server;
 *     signal: ends the work;
 *     onResults(predictions): receives answers, and null for texts without one;
 *     onWait(seconds): is called if the server is busy; 0 when it answers again.
 */
export async function labelTexts({ texts, start = 0, models, limits, signal, onResults, onWait }) {
  let size = Math.min(FIRST, limits.max_texts);
  let failures = 0;
  let next = start;
  while (next < texts.length) {
    signal.throwIfAborted();
    const end = fit(texts, next, size, models, limits);
    const places = range(next, end).filter((place) => isAllowed(texts[place], limits));
    let answers = [];
    if (places.length) {
      const began = performance.now();
      try {
        const body = { texts: places.map((place) => texts[place]), models };
        answers = (await ask("predict", body, signal)).predictions;
      } catch (error) {
        if (signal.aborted || ![0, 413, 429, 503].includes(error.status)) throw error;
        if (error.status === 413 && places.length === 1) {
          answers = [null]; // a proxy may have a lower limit
        } else {
          // A busy server frees space in time; other failures are given up after a few.
          failures += error.status === 429 ? 0 : 1;
          if (failures > MAX_FAILURES) throw error;
          size = Math.max(1, size >> 1);
          if (error.status !== 413) {
            const seconds = error.seconds || 1;
            onWait(seconds);
            await pause(1000 * seconds, signal);
            onWait(0);
          }
          continue;
        }
      }
      failures = 0;
      const took = performance.now() - began;
      if (took < FAST && end - next >= size) size = Math.min(2 * size, limits.max_texts);
      if (took > SLOW) size = Math.max(1, size >> 1);
    }
    const found = new Map(places.map((place, index) => [place, answers[index]]));
    onResults(range(next, end).map((place) => found.get(place) ?? null));
    next = end;
  }
}

const range = (start, end) => Array.from({ length: end - start }, (_, index) => start + index);

/** Return the end of the next request, whose body is within the limit. */
function fit(texts, start, size, models, limits) {
  const most = Math.min(texts.length, start + size);
  let bytes = encoder.encode(JSON.stringify({ texts: [], models })).length;
  let end = start;
  while (end < most) {
    bytes += isAllowed(texts[end], limits) ? bytesOf(texts[end]) + 1 : 0;
    if (bytes > limits.max_body && end > start) break;
    end += 1;
  }
  return end;
}

const bytesOf = (text) => encoder.encode(JSON.stringify(text)).length;

/** Whether a text is within the limits of the server. */
function isAllowed(text, limits) {
  if (text === null) return false;
  const fits = (part) => part.length <= limits.max_characters || [...part].length <= limits.max_characters;
  return [text].flat().every(fits) && bytesOf(text) < limits.max_body - 1_000;
}
