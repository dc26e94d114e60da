"use strict";
// Sort tables by a click on a heading. Without this script the tables are complete, but not sorted.
(() => {
  const status = document.getElementById("announcement");
  const text = (cell) => cell.textContent.trim();
  const compare = (one, other, sign) => {
    const [a, b] = [one.dataset.sort, other.dataset.sort];
    if (a !== undefined && b !== undefined) return sign * (Number(a) - Number(b));
    // Cells without a value come last in both directions.
    if (a !== undefined || b !== undefined) return a === undefined ? 1 : -1;
    return sign * text(one).localeCompare(text(other), undefined, { numeric: true });
  };
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const headings = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    headings.forEach((heading, index) => {
      const label = heading.querySelector(".heading");
      const button = document.createElement("button");
      button.type = "button";
      button.append(...label.childNodes);
      label.append(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows];
        rows.sort((a, b) => compare(a.cells[index], b.cells[index], down ? -1 : 1));
        body.append(...rows);
        status.textContent = `Sorted by ${text(button)}, ${down ? "descending" : "ascending"}.`;
      });
    });
  }
  // Everything is printed, also what is hidden on the screen.
  const closed = () => document.querySelectorAll("details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...closed()]; for (const one of opened) one.open = true; });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
})();
