// Send requests to the server, with the token if it asks for one.
import { kept } from "./store.js";

const TOKEN = "token";

/** An answer of the server that is no result. */
export class Refused extends Error {
  /**
   * @param {string} message What the server says.
   * @param {number} status The status; 0 if there was no answer.
   * @param {number} seconds The seconds to wait, from Retry-After.
   */
  constructor(message, status, seconds = 0) {
    super(message);
    this.status = status;
    this.seconds = seconds;
  }
}

let asking = null;

/**
 * Send a request and return the JSON of the answer. Ask for the token if it is missing.
 *
 * @param {string} path The path, relative to the page.
 * @param {object|null} body The body of a POST. Without one, the request is a GET.
 * @param {AbortSignal} [signal] Ends the request.
 */
export async function ask(path, body = null, signal = undefined) {
  for (;;) {
    const used = kept.session.get(TOKEN);
    const answer = await send(path, body, signal, used);
    if (answer.status !== 401) return read(answer);
    if (kept.session.get(TOKEN) === used) {
      asking ??= askForToken(used !== null).finally(() => { asking = null; });
      if (!(await asking)) throw new Refused("The server needs a token.", 401);
    }
  }
}

/** Whether a token is used, and how to forget it. */
export const token = {
  get isUsed() { return kept.session.get(TOKEN) !== null; },
  forget() { kept.session.remove(TOKEN); },
};

async function send(path, body, signal, used) {
  const headers = used === null ? {} : { authorization: `Bearer ${used}` };
  const options = { headers, signal, cache: "no-store" };
  if (body !== null) {
    headers["content-type"] = "application/json";
    options.method = "POST";
    options.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, options);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused("The server does not answer. It may have been stopped.", 0);
  }
}

async function read(answer) {
  if (answer.ok) return answer.json();
  const seconds = Number(answer.headers.get("retry-after")) || 0;
  let detail = null;
  try {
    ({ detail } = await answer.json());
  } catch {
    // A proxy may answer with something else.
  }
  if (Array.isArray(detail)) detail = detail.map((one) => one.msg).join("; ");
  throw new Refused(sentence(detail ?? `The server answered ${answer.status}`), answer.status, seconds);
}

function sentence(text) {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}

function askForToken(wrong) {
  const dialog = document.getElementById("token");
  const input = document.getElementById("token-value");
  const problem = document.getElementById("token-problem");
  problem.textContent = wrong ? "The server does not accept this token." : "";
  input.value = "";
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = input.value.trim();
      input.value = "";
      const used = dialog.returnValue === "use" && given !== "";
      if (used) kept.session.set(TOKEN, given);
      resolve(used);
    }, { once: true });
  });
}
