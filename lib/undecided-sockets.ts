/**
 * Sockets whose middlewares have not come to an end, by client, so that they go with it: a middleware that never calls `next` would keep its
 * socket for ever (with socket.io it does).
 *
 * Beside the clients, since most have none: a middleware that answers at once leaves nothing here.
 */

/** Takes a socket out of its rooms and its namespace, and lets a later `next` count for nothing. */
type Abandon = () => void;

const undecided = new WeakMap<object, Set<Abandon>>();

/** Called when the middlewares have been started and none of them has answered yet. */
export function rememberUndecided(client: object, abandon: Abandon): void {
  const known = undecided.get(client);
  if (known === undefined) {
    undecided.set(client, new Set([abandon]));
  } else {
    known.add(abandon);
  }
}

/** Called when the last middleware has answered. */
export function forgetUndecided(client: object, abandon: Abandon): void {
  undecided.get(client)?.delete(abandon);
}

/** Called when the session of a client has ended. */
export function abandonUndecided(client: object): void {
  const known = undecided.get(client);
  if (known !== undefined) {
    undecided.delete(client);
    for (const abandon of known) {
      abandon();
    }
  }
}
