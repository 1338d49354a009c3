/**
 * Polling for browsers that cannot make requests to other origins: GETs are answered with a script that calls `___eio[j]` with the payload,
 * POSTs come from a form. A session is of this kind when its handshake names a `j`.
 */
import { parse } from "node:querystring";
import * as inTransport from "./in-transport";
import { PollingTransport } from "./polling";
import type { EngineRequest } from "./request";

/** The polling transport that the handshake of a session asks for. It belongs to no session yet. */
export function createPolling({ _query: { j } }: Pick<EngineRequest, "_query">): PollingTransport {
  return typeof j === "string" ? new JsonpTransport(j) : new PollingTransport();
}

class JsonpTransport extends PollingTransport {
  /** The call in the script, up to its argument. */
  private readonly [inTransport.head]: string;

  constructor(j: string) {
    super();
    // Nothing but digits: the text is the peer's, and the script runs in somebody's page.
    this[inTransport.head] = `___eio[${j.replace(/[^0-9]/g, "")}](`;
  }

  /** The payload is in the field `d`. Without one there is nothing to deliver. */
  protected override [inTransport.deliverBody](body: Buffer, isBinary: boolean): void {
    const { d: payload } = isBinary ? {} : parse(body.toString("utf8"));
    if (typeof payload === "string") {
      // A form cannot be trusted with line breaks, so they come escaped, and what looks like one comes escaped twice.
      this[inTransport.deliverText](
        payload.replace(/(\\?)\\n/g, (_, slash) => (slash ? "\\n" : "\n")),
      );
    }
  }

  /** Two characters that JSON has in strings used to end a line of JavaScript. */
  protected override [inTransport.bodyOf](payload: string | Buffer): string {
    const argument = JSON.stringify(payload)
      .replace(/\u2028/g, "\\u2028")
      .replace(/\u2029/g, "\\u2029");
    return `${this[inTransport.head]}${argument});`;
  }
}
