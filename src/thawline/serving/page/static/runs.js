// The view of past runs and comparisons, with the report on each of them.
import { ask } from "./api.js";
import { announce, countOf, make, moment, percent } from "./dom.js";

const KINDS = { fit: "run", comparison: "comparison", pretraining: "pretraining", unknown: "unreadable" };

/** Return the view. */
export function makeRunsView() {
  let runs = [];
  const filter = make("input", { id: "runs-filter", type: "search", autocomplete: "off", oninput: () => showList() });
  const list = make("div");
  const all = make("div", {},
    make("h1", {}, "Runs"),
    make("div.field.narrow", {}, make("label", { for: "runs-filter" }, "Filter by name, data or strategy"), filter), list);
  const one = make("div", { hidden: true });
  const element = make("div", {}, all, one);

  async function open(name) {
    element.setAttribute("aria-busy", "true");
    try {
      const found = await ask("runs");
      runs = found.runs;
      const chosen = runs.find((run) => run.name === name);
      all.hidden = Boolean(chosen);
      one.hidden = !chosen;
      if (chosen) showOne(chosen);
      else showList(found);
    } catch (error) {
      all.hidden = false;
      one.hidden = true;
      list.replaceChildren(make("p.refused", {}, error.message));
    } finally {
      element.removeAttribute("aria-busy");
    }
  }

  function showList(found = null) {
    if (found?.folder === null) {
      filter.parentNode.hidden = true;
      list.replaceChildren(make("p", {}, "To see past runs and comparisons here, start the server with ",
        make("code", {}, "--runs FOLDER"), "."));
      return;
    }
    filter.parentNode.hidden = false;
    const wanted = filter.value.trim().toLowerCase();
    const matches = (run) => [run.name, run.data, run.strategy, run.backbone, KINDS[run.kind]]
      .some((text) => text?.toLowerCase().includes(wanted));
    const shown = runs.filter((run) => (wanted ? matches(run) : run.parent === null));
    if (!shown.length) {
      list.replaceChildren(make("p", {}, runs.length ? "No run matches." : "The folder contains no runs."));
      return;
    }
    list.replaceChildren(makeTable(shown, `${shown.length === 1 ? "1 entry" : `${shown.length} entries, the newest first`}`));
    if (wanted) announce(`${shown.length} of ${runs.length} match.`);
  }

  function showOne(run) {
    const children = runs.filter((other) => other.parent === run.name);
    const report = make("div.report");
    const heading = make("h1", { tabindex: "-1" }, run.name);
    one.replaceChildren(...[
      make("p.back", {}, make("a", { href: "#runs" }, "All runs")),
      run.parent === null ? null : make("p.back", {}, "Part of ", linkTo(run.parent)),
      heading,
      make("p.intro", {}, describe(run)),
      run.problem ? make("p.refused", {}, run.problem) : null,
      children.length ? make("details", {},
        make("summary", {}, `Its ${countOf(children.length, "run")}`),
        make("div.opened", {}, makeTable(children, "The runs of the comparison"))) : null,
      report,
    ].filter((part) => part !== null));
    heading.focus();
    if (run.status === "finished") showReport(run, report);
  }

  return { element, title: "Runs", open };
}

/** Show the report in a frame, which has its own address and cannot read what this page keeps. */
async function showReport(run, place) {
  const status = make("p.note", {}, "Drawing the report…");
  place.replaceChildren(status);
  try {
    const { path } = await ask("runs/link", { run: run.name });
    const address = path.replace(/^\//, "");
    const frame = make("iframe", { title: `Report on ${run.name}`, src: address, sandbox: "allow-scripts" });
    frame.addEventListener("load", () => {
      status.remove();
      announce("The report is shown.");
    });
    const opened = make("a", { href: address, target: "_blank", rel: "noopener" }, "Open the report in a new tab");
    place.replaceChildren(make("p", {}, opened), status, frame);
  } catch (error) {
    place.replaceChildren(make("p.refused", {}, error.message));
  }
}

function linkTo(name) {
  return make("a", { href: `#runs/${encodeURIComponent(name)}`, dir: "auto" }, name);
}

function describe(run) {
  const parts = [
    KINDS[run.kind] ?? run.kind,
    run.data ? `on ${run.data}` : "",
    run.kind === "fit" && run.strategy ? `with ${run.strategy}${run.backbone ? ` of ${run.backbone}` : ""}` : "",
  ].filter(Boolean).join(" ");
  const status = run.status === "finished" ? "" : `, ${run.status}`;
  return `${parts.charAt(0).toUpperCase()}${parts.slice(1)}${status}.`;
}

function interval(score) {
  return score === null ? "" : `${(100 * score.low).toFixed(1)} to ${(100 * score.high).toFixed(1)} %`;
}

function makeTable(runs, caption) {
  return make("div.scroll", { role: "group", "aria-label": caption, tabindex: "0" },
    make("table.grid", {},
      make("caption", {}, make("span", {}, caption)),
      make("thead", {}, make("tr", {},
        make("th", { scope: "col" }, "Name"),
        make("th.number", { scope: "col" }, "Accuracy"),
        make("th", { scope: "col" }, "Data"),
        make("th", { scope: "col" }, "Strategy"),
        make("th.when", { scope: "col" }, "Started"))),
      make("tbody", {}, runs.map((run) => make("tr", {},
        make("th", { scope: "row" }, linkTo(run.name),
          make("span.note", {}, `${KINDS[run.kind] ?? run.kind}${run.status === "finished" || run.status === "unreadable" ? "" : `, ${run.status}`}`)),
        make("td.number", {}, run.accuracy ? percent(run.accuracy.value) : "–",
          run.accuracy ? make("span.note", {}, interval(run.accuracy)) : null),
        make("td", { dir: "auto" }, run.data ?? "–"),
        make("td", { dir: "auto" }, run.strategy ?? "–", run.backbone ? make("span.note", {}, run.backbone) : null),
        make("td.when", {}, run.started ? moment(run.started) : "–"))))));
}
