// Waiting for events, always with a limit. Nothing here sleeps: a test awaits the event that proves its claim.

/** How long a test waits for one event before it fails. */
const EVENT_TIMEOUT_MS = 5_000;

/** Node's EventEmitter and the client's component-emitter have this in common. */
export interface Emitter {
  on(event: any, listener: (...args: any[]) => void): unknown;
  removeListener?(event: any, listener: (...args: any[]) => void): unknown;
  off(event: any, listener: (...args: any[]) => void): unknown;
}

/** Resolves with the arguments of the next `event`. */
export async function once(
  emitter: Emitter,
  event: string | symbol,
  timeoutMs = EVENT_TIMEOUT_MS,
): Promise<any[]> {
  const [first] = await collect(emitter, event, 1, timeoutMs);
  return first as any[];
}

/** Resolves with the first argument of the next `event`. */
export async function onceValue<Value = any>(
  emitter: Emitter,
  event: string | symbol,
): Promise<Value> {
  const [value] = await once(emitter, event);
  return value as Value;
}

/** Resolves with the arguments of each of the next `count` events, in order. */
export function collect(
  emitter: Emitter,
  event: string | symbol,
  count: number,
  timeoutMs = EVENT_TIMEOUT_MS,
): Promise<any[][]> {
  const seen: any[][] = [];
  return within(
    new Promise((resolve) => {
      const listener = (...args: any[]): void => {
        seen.push(args);
        if (seen.length === count) {
          emitter.off(event, listener);
          resolve(seen);
        }
      };
      emitter.on(event, listener);
    }),
    () => `${seen.length} of ${count} "${String(event)}" events came`,
    timeoutMs,
  );
}

/** Passes `promise` on, or rejects with `what()` when it takes too long. */
export function within<Value>(
  promise: Promise<Value>,
  what: string | (() => string),
  timeoutMs = EVENT_TIMEOUT_MS,
): Promise<Value> {
  // The error is made here, so that its stack names the waiting test.
  const error = new Error();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      error.message = `after ${timeoutMs} ms: ${typeof what === "string" ? what : what()}`;
      reject(error);
    }, timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** How often state that no event announces is asked for, once a few quick turns of the event loop did not bring it. */
const ASK_AGAIN_MS = 5;
const QUICK_TURNS = 20;

/** Resolves as soon as `holds()` is true: for state that no event announces. */
export function eventually(holds: () => boolean, what = "the condition never held"): Promise<void> {
  const deadline = Date.now() + EVENT_TIMEOUT_MS;
  const error = new Error(what);
  return new Promise((resolve, reject) => {
    let turns = 0;
    const ask = (): void => {
      if (holds()) {
        resolve();
      } else if (Date.now() > deadline) {
        reject(error);
      } else if (turns < QUICK_TURNS) {
        turns += 1;
        setImmediate(ask);
      } else {
        setTimeout(ask, ASK_AGAIN_MS);
      }
    };
    ask();
  });
}

/** A promise with its `resolve` at hand, for a callback that a test waits for. */
export function deferred<Value = void>(): {
  promise: Promise<Value>;
  resolve: (value: Value) => void;
} {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise: within(promise, "the callback was not called"), resolve };
}

/** Resolves in the next turn of the event loop: every microtask and nextTick queued so far has run by then. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
