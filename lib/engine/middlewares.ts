/**
 * Runs the engine's middlewares, in order, before a request is verified.
 *
 * Each one starts in its own microtask; a throw or a rejection counts as `next(error)`, and only the first `next` counts. One that answers
 * by itself and never calls `next` simply ends the chain.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

/** A connect-style middleware. */
export type Middleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: any) => void,
) => void;

/** Calls `done` without an argument, or with what the failing middleware said. */
export function runMiddlewares(
  middlewares: readonly Middleware[],
  req: IncomingMessage,
  res: ServerResponse,
  done: (error?: unknown) => void,
): void {
  let chain = Promise.resolve();
  for (const middleware of middlewares) {
    chain = chain.then(() => runOne(middleware, req, res));
  }
  chain.then(() => done(), done);
}

function runOne(middleware: Middleware, req: IncomingMessage, res: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (error?: unknown): void => (error ? reject(error) : resolve());
    const result: unknown = middleware(req, res, next); // a throw rejects the promise
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
      (result as PromiseLike<unknown>).then(undefined, next);
    }
  });
}
