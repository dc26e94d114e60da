// The view that labels a file or pasted lines, and gives the file back with the labels.
import { announce, count, countOf, duration, make, percent } from "./dom.js";
import { findDelimiter, findTextColumn, hasHeader, parse, write } from "./csv.js";
import { labelTexts } from "./label.js";
import { makePicker } from "./picker.js";

/** The byte order mark, which the labelled file has if the file has it. */
const MARK = "\ufeff";
const MAX_BYTES = 200 * 2 ** 20;
const SHOWN_ROWS = 3;
const SHOWN_COLUMNS = 5;
const SHOWN_LETTERS = 90;
const SECONDS_OF_RATE = 5;

/** Return the view. */
export function makeFileView(server) {
  let table = null;
  let job = null;
  let address = null;

  const chooser = make("input.hidden", {
    type: "file", accept: ".csv,.tsv,.txt,text/csv,text/plain,text/tab-separated-values",
    onchange: () => chooser.files.length && readFile(chooser.files[0]),
  });
  const drop = make("div.drop", {
    ondragover: (event) => {
      event.preventDefault();
      drop.classList.add("over");
    },
    ondragleave: () => drop.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      if (event.dataTransfer.files.length) readFile(event.dataTransfer.files[0]);
    },
  },
  make("label.button", {}, chooser, "Choose a file"),
  make("p", {}, "or drop it here. A CSV or TSV file, or a text file with one text in each line."));
  const lines = make("textarea", { id: "lines-input", rows: 5, spellcheck: "false", dir: "auto" });
  const paste = make("details", {},
    make("summary", {}, "Paste lines instead"),
    make("div.field", {}, make("label", { for: "lines-input" }, "One text in each line"), lines),
    make("div.actions", {}, make("button", {
      type: "button",
      onclick: () => lines.value.trim() && load("lines.txt", lines.value),
    }, "Use these lines")));
  const problem = make("div", { role: "alert" });
  const setup = make("section.setup", { "aria-labelledby": "setup-title", hidden: true });
  const work = make("section.work", { "aria-label": "Progress and result", hidden: true });
  const element = make("div", {},
    make("h1", {}, "Label a file"),
    make("p.intro", {}, "The rows are sent to this server in small requests. Nothing is stored there. ",
      "For files of more than a few hundred thousand rows, use ", make("code", {}, "thawline score"), "."),
    drop, paste, problem, setup, work);

  // A file that misses the field would replace the page.
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

  async function readFile(file) {
    chooser.value = "";
    if (file.size > MAX_BYTES) {
      fail(`The file has more than ${MAX_BYTES / 2 ** 20} MiB. Use thawline score for it.`);
      return;
    }
    try {
      const bytes = await file.arrayBuffer();
      const content = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      const mark = content.startsWith(MARK) ? MARK : "";
      load(file.name, content.slice(mark.length), mark);
    } catch {
      fail("The file is not text in UTF-8. Save it as “CSV UTF-8” and choose it again.");
    }
  }

  function fail(message) {
    problem.replaceChildren(make("p.refused", {}, message));
  }

  function load(name, content, mark = "") {
    job?.control.abort();
    job = null;
    work.hidden = true;
    problem.replaceChildren();
    if (/\.(csv|tsv)$/i.test(name)) {
      const delimiter = findDelimiter(name, content);
      const rows = parse(content, delimiter);
      table = { name, mark, delimiter, rows, header: hasHeader(rows) };
    } else {
      const rows = content.split(/\r\n|\n|\r/).filter((line) => line.trim()).map((line) => [line]);
      table = { name, mark, delimiter: ",", rows, header: false, plain: true };
    }
    if (!table.rows.length) {
      setup.hidden = true;
      fail("The file has no rows.");
      return;
    }
    showSetup();
    setup.querySelector("h2").focus();
    announce(`${countOf(bodyOf(table).length, "row")} read from ${name}.`);
  }

  function showSetup() {
    const names = namesOf(table);
    const rows = bodyOf(table);
    const guess = findTextColumn(names, rows);
    const options = (selected) => names.map((one, index) => make("option", { value: index, selected: index === selected }, one));
    const column = make("select", { id: "column" }, options(guess));
    const second = make("select", { id: "second-column" }, options(Math.min(guess + 1, names.length - 1)));
    const secondField = make("div.field", {}, make("label", { for: "second-column" }, "Column with the second text"), second);
    const picker = makePicker(server.models, () => update());
    const header = make("input", {
      type: "checkbox",
      checked: table.header,
      onchange: () => {
        table.header = header.checked;
        showSetup();
        setup.querySelector("input[data-header]").focus();
      },
      "data-header": true,
    });
    const safe = make("input", { type: "checkbox" });
    const begin = make("button.primary", {
      type: "button",
      onclick: () => run(picker.selected(), column.value, second.value, safe.checked),
    }, `Label ${countOf(rows.length, "row")}`);
    const update = () => {
      secondField.hidden = !picker.selected().some((model) => model.pairs);
      begin.disabled = !picker.selected().length || !rows.length;
    };
    setup.replaceChildren(
      make("h2", { id: "setup-title", tabindex: "-1" }, table.name, make("span.note", {}, countOf(rows.length, "row"))),
      makePreview(names, rows.slice(0, SHOWN_ROWS), "The first rows"),
      table.plain ? "" : make("div.fields", {},
        make("div.field", {}, make("label", { for: "column" }, "Column with the text"), column),
        secondField,
        make("label.check", {}, header, make("span", {}, "The first row has the names of the columns"))),
      picker.element,
      make("label.check", {}, safe, make("span", {}, "Put an apostrophe before cells that look like a formula")),
      make("div.actions", {}, begin));
    setup.hidden = false;
    update();
  }

  function run(models, column, second, safe) {
    const rows = bodyOf(table);
    const pick = (row, index) => (row[index] ?? "").toWellFormed?.() ?? row[index] ?? "";
    const single = rows.map((row) => (pick(row, column).trim() ? pick(row, column) : null));
    const groups = [false, true].map((pairs) => ({
      models: models.filter((model) => model.pairs === pairs),
      texts: pairs ? rows.map((row) => [pick(row, column), pick(row, second)]) : single,
      results: [],
    })).filter((group) => group.models.length);
    job = { table, names: namesOf(table), rows, models, groups, safe };
    setup.hidden = true;
    work.hidden = false;
    start();
  }

  async function start() {
    const mine = job;
    const control = mine.control = new AbortController();
    const total = mine.rows.length * mine.groups.length;
    const doneOf = () => mine.groups.reduce((sum, group) => sum + group.results.length, 0);
    const bar = make("progress", { max: total, value: doneOf(), "aria-label": "Labelled rows" });
    const words = make("p.note.progress-words", {}, "Starting…");
    const cancel = make("button", { type: "button", onclick: () => control.abort() }, "Cancel");
    work.replaceChildren(make("h2", {}, `Labelling ${mine.table.name}`), bar, words, make("div.actions", {}, cancel));
    cancel.focus();
    const times = [[performance.now(), doneOf()]];
    let quarter = Math.floor((4 * doneOf()) / total);
    const update = () => {
      const now = performance.now();
      const done = doneOf();
      times.push([now, done]);
      while (times.length > 2 && now - times[1][0] > 1000 * SECONDS_OF_RATE) times.shift();
      const rate = (1000 * (done - times[0][1])) / Math.max(1, now - times[0][0]);
      bar.value = done;
      const share = mine.groups.length;
      words.textContent = `${count(Math.floor(done / share))} of ${countOf(mine.rows.length, "row")}`
        + (rate > 0 ? `, ${count(Math.round(rate / share) || 1)} a second, about ${duration((total - done) / rate)} left` : "");
      if (Math.floor((4 * done) / total) > quarter) {
        quarter = Math.floor((4 * done) / total);
        if (quarter < 4) announce(`${25 * quarter} percent of the rows are labelled.`);
      }
    };
    let failure = null;
    try {
      for (const group of mine.groups) {
        await labelTexts({
          texts: group.texts,
          start: group.results.length,
          models: group.models.map((model) => model.name),
          limits: server.limits,
          signal: control.signal,
          onResults: (found) => {
            group.results.push(...found);
            update();
          },
          onWait: (seconds) => {
            if (seconds) words.textContent = `The server is busy. Waiting ${countOf(seconds, "second")}.`;
          },
        });
      }
    } catch (error) {
      failure = control.signal.aborted ? "" : error.message;
    }
    if (job === mine) showResult(mine, failure);
  }

  function showResult(mine, failure) {
    const done = Math.min(...mine.groups.map((group) => group.results.length));
    const complete = done === mine.rows.length;
    const title = complete ? `${countOf(done, "row")} labelled` : `${count(done)} of ${countOf(mine.rows.length, "row")} labelled`;
    const heading = make("h2", { tabindex: "-1" }, title);
    const missing = mine.groups[0].results.slice(0, done).filter((one) => one === null).length;
    if (address !== null) URL.revokeObjectURL(address);
    const [content, name] = makeFile(mine, done);
    address = URL.createObjectURL(new Blob([mine.table.mark, content], { type: "text/csv;charset=utf-8" }));
    work.replaceChildren(...[
      heading,
      failure ? make("p.refused", {}, failure) : null,
      missing ? make("p.note", {}, `${countOf(missing, "row")} without a text, or with one above the limit of the server, got no label.`) : null,
      done ? make("div.cards", {}, mine.groups.flatMap((group) => group.models.map((model) => makeCounts(model, group.results, done)))) : null,
      make("div.actions", {},
        done ? make("a.button.primary", { href: address, download: name }, complete ? "Download the file" : "Download these rows") : null,
        complete ? null : make("button", { type: "button", onclick: start }, "Continue"),
        make("button", {
          type: "button",
          onclick: () => {
            work.hidden = true;
            setup.hidden = false;
            setup.querySelector("h2").focus();
          },
        }, "Back")),
    ].filter((one) => one !== null));
    heading.focus();
    announce(`${title}.${failure ? ` ${failure}` : ""}`);
  }

  return { element, title: "File", open() {} };
}

/** Return the names of the columns. */
function namesOf(table) {
  if (table.plain) return ["text"];
  const width = table.rows.reduce((most, row) => Math.max(most, row.length), 0);
  const given = table.header ? table.rows[0] : [];
  return Array.from({ length: width }, (_, index) => given[index]?.trim() || `column_${index + 1}`);
}

/** Return the rows below the names. */
function bodyOf(table) {
  return table.header ? table.rows.slice(1) : table.rows;
}

/** Return the content and the name of the file with the labels. Its columns are those of `score`. */
function makeFile(job, done) {
  const prefix = (model) => (job.models.length === 1 ? "" : `${model.name}_`);
  const names = [...job.names];
  const rows = job.rows.slice(0, done).map((row) => job.names.map((_, index) => row[index] ?? ""));
  for (const { models, results } of job.groups) {
    for (const model of models) {
      names.push(`${prefix(model)}predicted_label`, ...model.labels.map((label) => `${prefix(model)}probability_${label}`));
      rows.forEach((row, index) => {
        const found = results[index]?.[model.name];
        row.push(found?.label ?? "", ...model.labels.map((label) => String(found?.probabilities[label] ?? "")));
      });
    }
  }
  const { name, delimiter } = job.table;
  const suffix = delimiter === "\t" ? "tsv" : "csv";
  return [write([names, ...rows], delimiter, job.safe), `${name.replace(/\.[^.]*$/, "")}.labelled.${suffix}`];
}

/** Return how many rows got each label from a classifier. */
function makeCounts(model, results, done) {
  const counts = new Map(model.labels.map((label) => [label, 0]));
  let labelled = 0;
  for (const one of results.slice(0, done)) {
    if (one === null) continue;
    const { label } = one[model.name];
    counts.set(label, (counts.get(label) ?? 0) + 1);
    labelled += 1;
  }
  const ranked = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 12);
  return make("article.card", { "aria-label": model.name },
    make("h3", {}, model.name),
    make("ul.bars", { "aria-label": "Rows by label" }, ranked.map(([label, number]) => {
      const bar = make("span.bar");
      const share = labelled ? number / labelled : 0;
      bar.style.setProperty("--share", share);
      return make("li.first", {},
        make("span.class", { dir: "auto" }, label),
        make("span.track", { "aria-hidden": "true" }, bar),
        make("span.value", {}, count(number), make("span.note", {}, percent(share, 0))));
    })));
}

function makePreview(names, rows, caption) {
  const shown = names.slice(0, SHOWN_COLUMNS);
  const short = (cell = "") => ([...cell].length > SHOWN_LETTERS ? `${[...cell].slice(0, SHOWN_LETTERS).join("")}…` : cell);
  return make("div.scroll", { role: "group", "aria-label": caption, tabindex: "0" },
    make("table.grid", {},
      make("caption", {}, make("span", {}, caption)),
      make("thead", {}, make("tr", {}, shown.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, rows.map((row) => make("tr", {},
        shown.map((_, index) => make("td", { dir: "auto" }, short(row[index]))))))));
}
