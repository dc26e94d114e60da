// The view of one text: the answers of several classifiers side by side, and the effect of each word.
import { ask, Refused } from "./api.js";
import { announce, count, make, pause, percent } from "./dom.js";
import { describe, makePicker } from "./picker.js";
import { makeCard, makeExplanation } from "./result.js";
import { kept, recent } from "./store.js";

const MARK = "mark-words";
const MAX_TRIES = 5;

/** Return the view. */
export function makeTextView(server) {
  let running = null;
  const text = make("textarea", {
    id: "text-input", rows: 5, spellcheck: "false", dir: "auto", required: true,
  });
  const second = make("textarea", { id: "second-input", rows: 3, spellcheck: "false", dir: "auto" });
  const secondField = make("div.field", {}, make("label", { for: "second-input" }, "Second text"), second);
  const updateFields = () => {
    secondField.hidden = !picker.selected().some((model) => model.pairs);
    send.disabled = picker.selected().length === 0;
  };
  const picker = makePicker(server.models, () => updateFields());
  const mark = make("input", {
    type: "checkbox",
    checked: kept.local.get(MARK) !== false,
    onchange: () => kept.local.set(MARK, mark.checked),
  });
  const send = make("button.primary", { type: "submit" }, "Classify");
  const status = make("p.summary", {});
  const cards = make("div.cards");
  const results = make("section.results", { "aria-labelledby": "results-title", hidden: true },
    make("h2.hidden", { id: "results-title" }, "Results"), status, cards);
  const form = make("form", {
    onsubmit: (event) => {
      event.preventDefault();
      classify();
    },
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    },
  },
  make("div.field", {}, make("label", { for: "text-input" }, "Text"), text),
  secondField,
  picker.element,
  make("div.actions", {}, send, make("span.hint.keys", {}, make("kbd", {}, "Ctrl"), " ", make("kbd", {}, "Enter")),
    make("label.check", {}, mark, make("span", {}, "Mark the words by their effect"))));
  const element = make("div", {},
    make("h1", {}, "Classify a text"), form, results);
  updateFields();

  async function classify() {
    running?.abort();
    const control = running = new AbortController();
    const models = picker.selected();
    const [first, other] = [text.value, second.value].map((one) => one.toWellFormed?.() ?? one);
    if (!first.trim() || !models.length) return;
    element.setAttribute("aria-busy", "true");
    results.hidden = false;
    results.classList.add("waiting");
    try {
      const found = await predict(models, first, other, control.signal);
      show(models, found, first, other, control.signal);
    } catch (error) {
      if (control.signal.aborted) return;
      cards.replaceChildren();
      status.className = "summary refused";
      status.textContent = error.message;
      announce(error.message);
    } finally {
      if (running === control) {
        element.removeAttribute("aria-busy");
        results.classList.remove("waiting");
      }
    }
  }

  function show(models, found, first, other, signal) {
    const words = summarise(models, found);
    status.className = "summary";
    status.textContent = words;
    status.hidden = models.length === 1;
    const made = models.map((model) => makeCard(model, describe(model), found[model.name]));
    cards.replaceChildren(...made.map((card) => card.element));
    announce(models.length === 1 ? describeAnswer(models[0], found) : words);
    recent.add({
      text: first,
      ...(models.some((model) => model.pairs) ? { second: other } : {}),
      time: Date.now(),
      results: models.map((model) => {
        const { label, probabilities } = found[model.name];
        return { model: model.name, label, probability: probabilities[label] };
      }),
    });
    if (mark.checked) explainAll(models, made, first, signal);
  }

  return {
    element,
    title: "Text",
    open() {},
    /** Put a text into the field. */
    use(given) {
      text.value = given.text;
      second.value = given.second ?? "";
      text.focus();
    },
  };
}

/** Return the answer of each classifier by its name. Pairs and single texts are separate requests. */
async function predict(models, first, other, signal) {
  const requests = [false, true].map((pairs) => {
    const names = models.filter((model) => model.pairs === pairs).map((model) => model.name);
    if (!names.length) return null;
    return ask("predict", { texts: [pairs ? [first, other] : first], models: names }, signal);
  });
  const answers = await Promise.all(requests.filter((request) => request !== null));
  return Object.assign({}, ...answers.map((answer) => answer.predictions[0]));
}

function describeAnswer(model, found) {
  const { label, probabilities } = found[model.name];
  return `${model.name}: ${label}, ${percent(probabilities[label])}`;
}

/** Say whether the classifiers agree. */
function summarise(models, found) {
  const labels = new Set(models.map((model) => found[model.name].label));
  if (labels.size === 1) {
    const many = models.length === 2 ? "Both" : `All ${count(models.length)}`;
    return `${many} classifiers answer ${[...labels][0]}.`;
  }
  return `The classifiers differ. ${models.map((model) => describeAnswer(model, found)).join("; ")}.`;
}

/** Explain the answers one after the other, so that the server computes one explanation at a time. */
async function explainAll(models, made, text, signal) {
  for (const { place } of made) place.replaceChildren(make("p.note", {}, "Scoring the words…"));
  for (const [index, model] of models.entries()) {
    const { place } = made[index];
    try {
      if (model.pairs) throw new Refused("Words are marked for single texts only.", 0);
      const explained = await explain(model, text, signal);
      place.replaceChildren(makeExplanation(text, explained));
    } catch (error) {
      if (signal.aborted) return;
      place.replaceChildren(make("p.note", {}, error.message));
    }
  }
  announce("The words are marked by their effect.");
}

async function explain(model, text, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask("explain", { text, model: model.name }, signal);
    } catch (error) {
      if (error.status !== 429 || tries === MAX_TRIES) throw error;
      await pause(1000 * (error.seconds || 1), signal);
    }
  }
}
