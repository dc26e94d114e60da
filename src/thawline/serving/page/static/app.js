// Start the page: read what the server offers, and show the view that the address names.
import { ask, token } from "./api.js";
import { countOf, make } from "./dom.js";
import { makeFileView } from "./file.js";
import { makeRecentView } from "./recent.js";
import { makeRunsView } from "./runs.js";
import { makeTextView } from "./text.js";

const problem = document.getElementById("problem");
const place = document.getElementById("view");
const links = [...document.querySelectorAll(".views a")];

async function start() {
  problem.replaceChildren();
  let server;
  try {
    server = await ask("models");
  } catch (error) {
    const again = make("button", { type: "button", onclick: start }, "Try again");
    problem.replaceChildren(make("div.box.bad", {}, make("p", {}, error.message), again));
    return;
  }
  showServer(server);
  const views = {};
  const makers = {
    text: () => makeTextView(server),
    file: () => makeFileView(server),
    recent: () => makeRecentView((result) => {
      location.hash = "text";
      show("text");
      views.text.use(result);
    }),
    runs: () => makeRunsView(),
  };

  function show(name, rest = "") {
    views[name] ??= makers[name]();
    const view = views[name];
    if (view.element.parentNode !== place) place.replaceChildren(view.element);
    document.title = `${view.title} – Thawline`;
    for (const link of links) {
      const isShown = link.getAttribute("href") === `#${name}`;
      isShown ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    view.open(rest);
  }

  function route() {
    const [name, ...rest] = decode(location.hash.slice(1)).split("/");
    if (name in makers) show(name, rest.join("/"));
  }

  addEventListener("hashchange", () => {
    route();
    const heading = [...place.querySelectorAll("h1")].find((one) => one.offsetParent !== null);
    heading?.setAttribute("tabindex", "-1");
    if (document.activeElement === document.body || links.includes(document.activeElement)) heading?.focus();
  });
  show("text");
  route();
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function showServer(server) {
  const sentences = [countOf(server.models.length, "classifier"), ...server.shared];
  const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  document.getElementById("server").textContent = sentences.map((text) => `${upper(text)}.`).join(" ");
  const forget = make("button.link", {
    type: "button",
    onclick: () => {
      token.forget();
      location.reload();
    },
  }, "Forget the token");
  document.getElementById("session").replaceChildren(...(token.isUsed ? [" · ", forget] : []));
}

start();
