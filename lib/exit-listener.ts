/**
 * One listener of `exit` for all copies of lib/ in a process. Programs that load the package anew (hot reload, `jest.resetModules`) would
 * soon have eleven, and Node warns of a leak then.
 */

/** What the copies share, on the object that Node emits `exit` on. */
interface Shared {
  readonly listener: () => void;
  readonly callbacks: (() => void)[];
}

const kShared = Symbol.for("sio-rs.exit");

type Tagged = NodeJS.Process & { [kShared]?: Shared };

/** Has `callback` called when the process exits. */
export function onProcessExit(callback: () => void): void {
  const shared = (process as Tagged)[kShared] ?? share();
  shared.callbacks.push(callback);
  if (!process.listeners("exit").includes(shared.listener)) {
    process.on("exit", shared.listener); // the first copy, or somebody has removed it
  }
}

function share(): Shared {
  const callbacks: Shared["callbacks"] = [];
  const listener = (): void => {
    for (const callback of callbacks) {
      callback();
    }
  };
  const shared = { listener, callbacks };
  Object.defineProperty(process, kShared, { value: shared });
  return shared;
}
