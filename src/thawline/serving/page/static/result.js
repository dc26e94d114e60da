// Show what a classifier found in a text: the label, the probabilities and the words.
import { make, percent, points } from "./dom.js";

const SHOWN_CLASSES = 6;
const LEAST_SCALE = 0.02;
const LEAST_SHOWN = 0.1;

/** Return a bar for each class, the most probable first. */
export function makeBars(probabilities) {
  const rows = Object.entries(probabilities).map(([label, share], index) => {
    const bar = make("span.bar");
    bar.style.setProperty("--share", share);
    return make(index === 0 ? "li.first" : "li", {},
      make("span.class", { dir: "auto" }, label),
      make("span.track", { "aria-hidden": "true" }, bar),
      make("span.value", {}, percent(share)));
  });
  const list = (some) => make("ul.bars", { "aria-label": "Probabilities" }, some);
  if (rows.length <= SHOWN_CLASSES + 1) return list(rows);
  return make("div", {},
    list(rows.slice(0, SHOWN_CLASSES)),
    make("details", {},
      make("summary", {}, `${rows.length - SHOWN_CLASSES} other classes`),
      list(rows.slice(SHOWN_CLASSES))));
}

/** Return the text with its words coloured by what they say for the class or against it. */
export function makeMarkedText(text, explained) {
  const letters = [...text]; // the server counts characters, not UTF-16 units
  const most = Math.max(LEAST_SCALE, ...explained.parts.map((part) => Math.abs(part.score)));
  const marked = make("p.marked", { dir: "auto" });
  let place = 0;
  for (const part of explained.parts) {
    marked.append(letters.slice(place, part.start).join(""));
    marked.append(makeWord(letters.slice(part.start, part.end).join(""), part.score, most));
    place = part.end;
  }
  marked.append(letters.slice(place).join(""));
  return marked;
}

function makeWord(word, score, most) {
  const strength = Math.abs(score) / most;
  if (strength < LEAST_SHOWN) return word;
  const strong = strength > 0.4 ? " strong" : "";
  const side = score > 0 ? "for" : "against";
  const element = make("span", { class: `word ${side}${strong}`, title: points(score) }, word);
  element.style.setProperty("--strength", strength.toFixed(3));
  return element;
}

/** Return what explains a prediction: the marked text, its key and the strongest words. */
export function makeExplanation(text, explained) {
  const ranked = [...explained.parts].sort((one, other) => other.score - one.score);
  const strongest = [
    ...ranked.filter((part) => part.score > 0.001).slice(0, 5),
    ...ranked.filter((part) => part.score < -0.001).slice(-3),
  ];
  const rows = strongest.map((part) => make("tr", {},
    make("th", { scope: "row", dir: "auto" }, part.text),
    make("td.number", {}, points(part.score))));
  return make("div.explanation", {},
    makeMarkedText(text, explained),
    make("p.key", {},
      make("span.word.for.strong.full", {}, "for"), " ",
      make("span.word.against.strong.full", {}, "against"), " ",
      make("span", { dir: "auto" }, explained.label)),
    rows.length === 0
      ? make("p.note", {}, "No single word changes the probability.")
      : make("details", {},
        make("summary", {}, "Strongest words"),
        make("table", {},
          make("caption", {}, make("span", {},
            `What each word adds to the probability of ${explained.label}, in percentage points`)),
          make("thead", {}, make("tr", {},
            make("th", { scope: "col" }, "Word"),
            make("th.number", { scope: "col" }, "Points"))),
          make("tbody", {}, rows))));
}

/**
 * Return the card of a classifier's answer, with an empty place for its explanation.
 *
 * @param {object} model The classifier.
 * @param {string} description Its strategy and backbone.
 * @param {object} prediction Its label and probabilities.
 */
export function makeCard(model, description, prediction) {
  const place = make("div.why");
  const title = make("h3", {}, model.name, description === model.name ? null : make("span.note", {}, description));
  const share = prediction.probabilities[prediction.label];
  const element = make("article.card", { "aria-label": model.name },
    title,
    make("p.answer", {},
      make("span.answer-label", { dir: "auto" }, prediction.label), " ",
      make("span.answer-share", {}, percent(share))),
    makeBars(prediction.probabilities),
    place);
  return { element, place };
}
