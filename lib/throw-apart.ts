/** Throws an error of the user's code where it stops nothing that goes on here: it is an uncaught exception. */
export function throwApart(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
