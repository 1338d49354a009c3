/** Runs the middlewares of a namespace (for a new socket) or of a socket (for an event), one after the other. */

/** A middleware: calls `next()` to go on, `next(err)` to refuse. */
export type Middleware<Subject> = (subject: Subject, next: (err?: any) => void) => void;

/**
 * Calls `done` with nothing after the last middleware, or with the first truthy value given to `next`. With no middleware that is at once.
 *
 * The list is the one of this moment. What a middleware throws goes to the caller.
 */
export function runMiddlewares<Subject>(
  middlewares: readonly Middleware<Subject>[],
  subject: Subject,
  done: (err?: any) => void,
): void {
  if (middlewares.length === 0) {
    done();
    return;
  }
  const list = middlewares.slice();
  const run = (position: number): void => {
    (list[position] as Middleware<Subject>)(subject, (err) => {
      if (err) {
        done(err);
      } else if (position + 1 < list.length) {
        run(position + 1);
      } else {
        done();
      }
    });
  };
  run(0);
}
