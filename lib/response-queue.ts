/**
 * Ends the responses of one turn of the event loop together, behind what the turn's requests have brought about.
 *
 * Each write of its own wakes whoever reads at the other end: on one machine (a proxy, a benchmark) that costs as much as half of a request
 * does in Node's http server. Written back to back, most of them find the reader awake. Only responses that nobody else watches come here:
 * what runs at their end runs in no request's context.
 */
import diagnostics from "node:diagnostics_channel";
import { ServerResponse } from "node:http";
import timers from "node:timers";
import { runOutside } from "./async-context";
import { throwApart } from "./throw-apart";

/** Taken now: a test's fake timers must not swallow answers. */
const { setImmediate } = timers;
const { end } = ServerResponse.prototype;
/** Node tells it of every response, in the context of whoever ended that. */
const finishChannel = diagnostics.channel("http.server.response.finish");

class ResponseQueue {
  private responses: ServerResponse[] = [];
  private bodies: string[] = [];
  private isLeaving = false;
  private readonly endAll = (): void => this.flush();

  /** Ends a response whose head was written: now if somebody watches it, else with the others of this turn. */
  end(res: ServerResponse, body: string): void {
    if (this.isLeaving || isWatched(res)) {
      res.end(body);
      return;
    }
    this.responses.push(res);
    this.bodies.push(body);
    if (this.responses.length === 1) {
      runOutside(() => setImmediate(this.endAll));
    }
  }

  /** Ends what waits. */
  flush(): void {
    const { responses, bodies } = this;
    this.responses = [];
    this.bodies = [];
    for (let i = 0; i < responses.length; i++) {
      try {
        (responses[i] as ServerResponse).end(bodies[i]);
      } catch (error) {
        throwApart(error); // a user's stream under the response: the others are ended all the same
      }
    }
  }

  /** The process is about to exit: nothing waits any more. */
  leave(): void {
    this.isLeaving = true;
    this.flush();
  }
}

/** Those of this copy of lib/. */
export const responses = new ResponseQueue();

/** Whether anybody but Node's http server would notice when a response ends. */
function isWatched(res: ServerResponse): boolean {
  return (
    res.end !== end ||
    res.listenerCount("finish") > 1 ||
    res.listenerCount("close") > 0 ||
    finishChannel.hasSubscribers
  );
}
