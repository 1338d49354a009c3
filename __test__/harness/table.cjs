// Reads the tables of a Markdown file: `unsupported.md` and `contract.md` are kept in them.
// Plain JavaScript, because the scripts of this project read the same files as the tests do.
"use strict";

/**
 * @typedef {object} Row
 * @property {number} line where it stands in the file, counted from 1
 * @property {string} text the line as it was written
 * @property {string[]} cells trimmed, `\|` read as `|`
 */

/**
 * The rows of every table of a file, in their order, without the heads of the tables.
 *
 * @param {string} markdown
 * @returns {Row[]}
 */
function tableRows(markdown) {
  const lines = markdown.split("\n");
  const isRow = (index) => lines[index]?.startsWith("|") ?? false;
  const rows = [];
  let headAt = -1;
  for (const [index, text] of lines.entries()) {
    if (!isRow(index)) continue;
    if (!isRow(index - 1)) headAt = index;
    // The head and the line of dashes below it.
    if (index - headAt >= 2) rows.push({ line: index + 1, text, cells: cellsOf(text) });
  }
  return rows;
}

/** @param {string} text */
function cellsOf(text) {
  return text
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
}

module.exports = { tableRows };
