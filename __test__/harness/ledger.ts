// Reads `unsupported.md`, the list of cases in which sio-rs differs from socket.io on purpose.
// It only parses the table: what a listed case means for a run is decided in `implementations.ts`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tableRows } from "./table.cjs";

/** One row of the table: the case that sio-rs does not pass, and why. */
export interface LedgerRow {
  /** The `suite` that was given to `describeBoth`. */
  suite: string;
  /** The title that was given to `it`. */
  title: string;
  /** The carrier of connections that it fails on. */
  carrier: "any" | "adopted" | "bridge";
  reason: string;
}

const CARRIERS: readonly string[] = ["any", "adopted", "bridge"];

/** Separates the suite from the title, here and in the table. */
const SEPARATOR = " › ";

/** The Markdown table of `unsupported.md`. */
export const LEDGER_PATH = join(__dirname, "..", "unsupported.md");

/** Parses the table; a malformed row is an error, so that no difference is lost by a typing mistake. */
export function parseLedger(markdown: string): LedgerRow[] {
  return tableRows(markdown).map(({ text, cells }) => {
    const [name = "", carrier = "", reason = ""] = cells;
    const cut = name.indexOf(SEPARATOR);
    if (cells.length !== 3 || cut < 0 || !CARRIERS.includes(carrier) || reason === "") {
      throw new Error(`not a row "| suite › case | carrier | reason |": ${text}`);
    }
    return {
      suite: name.slice(0, cut),
      title: name.slice(cut + SEPARATOR.length),
      carrier: carrier as LedgerRow["carrier"],
      reason,
    };
  });
}

/** The rows of the committed table. */
export function readLedger(): LedgerRow[] {
  return parseLedger(readFileSync(LEDGER_PATH, "utf8"));
}
