// The view of the recent results of this browser.
import { announce, make, moment, percent } from "./dom.js";
import { recent } from "./store.js";

const SHOWN = 280;

/**
 * Return the view.
 *
 * @param {function} use Receives a result whose text to classify again.
 */
export function makeRecentView(use) {
  const list = make("div.entries");
  const status = make("p.note");
  const clear = make("button", { type: "button", onclick: clearAll }, "Clear all");
  const undo = make("button", { type: "button", hidden: true }, "Undo");
  const keep = make("input", {
    type: "checkbox",
    onchange: () => {
      recent.isOn = keep.checked;
      announce(keep.checked ? "Results are kept." : "Results are not kept from now on.");
    },
  });
  const element = make("div", {},
    make("h1", {}, "Recent results"),
    make("p.intro", {}, "These results are kept in this browser only. The server keeps no texts."),
    make("div.actions", {}, clear, undo,
      make("label.check", {}, keep, make("span", {}, "Keep the results of the view Text"))),
    status, list);

  function clearAll() {
    const before = recent.list();
    recent.clear();
    show();
    undo.hidden = false;
    undo.onclick = () => {
      recent.write(before);
      show();
      clear.focus();
      announce("The results were restored.");
    };
    undo.focus();
    announce("All results were removed from this browser.");
  }

  function show() {
    const results = recent.list();
    keep.checked = recent.isOn;
    undo.hidden = true;
    clear.disabled = results.length === 0;
    status.textContent = results.length === 0 ? "There are no results yet." : "";
    list.replaceChildren(...results.map((result) => makeEntry(result)));
  }

  function makeEntry(result) {
    const whole = result.second ? `${result.text} — ${result.second}` : result.text;
    const short = [...whole].length > SHOWN ? `${[...whole].slice(0, SHOWN).join("")}…` : whole;
    const answers = (result.results ?? []).map((one) => make("li", {},
      make("span.note", {}, one.model), " ",
      make("strong", { dir: "auto" }, one.label), " ", percent(one.probability, 0)));
    const entry = make("article.entry", {},
      make("p.entry-text", { dir: "auto" }, short),
      make("ul.answers", {}, answers),
      make("div.actions", {},
        make("span.note", {}, moment(result.time)),
        make("button.link", { type: "button", onclick: () => use(result) }, "Use this text"),
        make("button.link", {
          type: "button",
          onclick: () => {
            const next = entry.nextElementSibling ?? entry.previousElementSibling;
            recent.write(recent.list().filter((one) => one.time !== result.time));
            entry.remove();
            (next?.querySelector("button") ?? keep).focus();
            if (!next) show();
            announce("The result was removed.");
          },
        }, "Remove")));
    return entry;
  }

  return { element, title: "Recent", open: show };
}
