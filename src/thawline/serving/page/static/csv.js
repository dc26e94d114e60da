// Read and write tables as RFC 4180 describes them, with commas, semicolons or tabs.

const DELIMITERS = [",", ";", "\t"];
const TEXT_NAMES = ["text", "review", "sentence", "content", "comment", "message", "body", "tweet"];

/** The beginnings of cells that a spreadsheet may read as a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Read a table.
 *
 * @param {string} content The content of a file.
 * @param {string} delimiter The delimiter.
 * @returns {string[][]} The rows. Empty lines are left out.
 */
export function parse(content, delimiter) {
  const rows = [];
  let row = [];
  let place = 0;
  const end = content.length;
  const finish = () => {
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  while (place < end) {
    let cell = "";
    if (content[place] === '"') {
      place += 1;
      for (;;) {
        const close = content.indexOf('"', place);
        if (close < 0) {
          cell += content.slice(place);
          place = end;
          break;
        }
        cell += content.slice(place, close);
        place = close + 1;
        if (content[place] !== '"') break;
        cell += '"';
        place += 1;
      }
    }
    const start = place;
    while (place < end && content[place] !== delimiter && content[place] !== "\n" && content[place] !== "\r") {
      place += 1;
    }
    row.push(cell + content.slice(start, place));
    if (content[place] === delimiter) {
      place += 1;
      if (place === end) row.push("");
      continue;
    }
    if (content[place] === "\r" && content[place + 1] === "\n") place += 1;
    place += 1;
    finish();
  }
  if (row.length) finish();
  return rows;
}

/** Return the delimiter of a table: the one that divides the first line into the most cells. */
export function findDelimiter(name, content) {
  if (/\.tsv$/i.test(name)) return "\t";
  const line = content.slice(0, 100_000);
  const cells = (delimiter) => parse(line, delimiter)[0]?.length ?? 0;
  return DELIMITERS.reduce((best, one) => (cells(one) > cells(best) ? one : best));
}

/** Whether the first row has the names of the columns: short, different, and no numbers. */
export function hasHeader(rows) {
  const [first] = rows;
  if (!first || rows.length < 2) return false;
  const names = first.map((cell) => cell.trim());
  return new Set(names).size === names.length && names.every((name) => /^\D.{0,39}$/.test(name))
    && (names.length > 1 || TEXT_NAMES.includes(names[0].toLowerCase()));
}

/** Return the place of the column with the texts: a common name, or the longest cells. */
export function findTextColumn(names, rows) {
  const common = names.findIndex((name) => TEXT_NAMES.includes(name.trim().toLowerCase()));
  if (common >= 0) return common;
  const some = rows.slice(0, 100);
  const sizes = names.map((_, index) => some.reduce((sum, row) => sum + (row[index] ?? "").length, 0));
  return sizes.indexOf(Math.max(...sizes));
}

/**
 * Write a table.
 *
 * @param {string[][]} rows The rows.
 * @param {string} delimiter The delimiter.
 * @param {boolean} safe Whether cells that look like a formula begin with an apostrophe.
 */
export function write(rows, delimiter, safe) {
  const special = new RegExp(`["\\n\\r${delimiter}]`);
  const cell = (value) => {
    const shown = safe && FORMULA.test(value) ? `'${value}` : value;
    return special.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
  };
  return rows.map((row) => `${row.map(cell).join(delimiter)}\r\n`).join("");
}
