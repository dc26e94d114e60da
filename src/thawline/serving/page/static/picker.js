// Choose among the classifiers of the server.
import { make } from "./dom.js";
import { kept } from "./store.js";

const CHOSEN = "classifiers";

/**
 * Return a field to choose classifiers. The choice is kept for the next time.
 *
 * @param {object[]} models The classifiers, from GET /models.
 * @param {function} changed Is called after each change.
 */
export function makePicker(models, changed) {
  const before = kept.local.get(CHOSEN);
  const known = models.filter((model) => Array.isArray(before) && before.includes(model.name));
  const chosen = new Set((known.length ? known : models.slice(0, 4)).map((model) => model.name));
  const selected = () => models.filter((model) => chosen.has(model.name));
  const toggle = (model, on) => {
    on ? chosen.add(model.name) : chosen.delete(model.name);
    kept.local.set(CHOSEN, [...chosen]);
    changed();
  };
  const choices = models.map((model) => make("label.choice", {},
    make("input", {
      type: "checkbox",
      value: model.name,
      checked: chosen.has(model.name),
      onchange: (event) => toggle(model, event.target.checked),
    }),
    make("span", {},
      make("span.title", {}, model.name),
      make("span.note", {}, describe(model)))));
  const legend = make("legend", {}, models.length === 1 ? "Classifier" : "Classifiers");
  const element = make("fieldset.choices", {}, legend, make("div", {}, choices));
  element.hidden = models.length === 1;
  return { element, selected };
}

/** Describe a classifier in a few words. */
export function describe(model) {
  const backbone = model.backbone === null ? ", words only" : ` on ${model.backbone.split(/[/\\]/).pop()}`;
  const strategy = model.strategy.replace(/:.{12,}$/, "");
  return `${strategy}${backbone}${model.pairs ? ", pairs of texts" : ""}`;
}
