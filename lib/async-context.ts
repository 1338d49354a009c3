/**
 * Keeps the async contexts (AsyncLocalStorage, async_hooks) of users apart, where one callback from the core, or one tick, serves many sockets.
 *
 * With socket.io each packet has a tick or a socket callback of its own, so a store that a listener enters with `enterWith` ends with it.
 */
import { AsyncResource } from "node:async_hooks";

const TYPE = "SIO_RS";

/** The context in which the package was loaded. What serves every connection is made in it, not in that of the first request. */
const loading = new AsyncResource(TYPE);

/** Calls `run` in the context in which the package was loaded. */
export function runOutside<Result>(run: () => Result): Result {
  return loading.runInAsyncScope(run);
}

/** The current context, to be gone back to with `runInAsyncScope`. */
export function currentContext(): AsyncResource {
  return new AsyncResource(TYPE);
}

/** Calls a method in a context of its own, which begins as the current one: what is entered in it is left with it. */
export function runApart<Args extends unknown[]>(
  method: (...args: Args) => void,
  self: unknown,
  ...args: Args
): void {
  new AsyncResource(TYPE).runInAsyncScope(method, self, ...args);
}
