/**
 * What is to be done before the process exits, by all loaded copies of lib/ together.
 *
 * Test runners and development servers load packages anew again and again, and Node warns of a leak at the eleventh listener of `exit`. So
 * there is one for all copies, in a place of the process that each of them finds, and only while there is something to be done.
 */
const SHARED = Symbol.for("sio-rs.beforeExit");

interface Shared {
  readonly tasks: Set<() => void>;
  readonly listener: () => void;
}

/** Has `task` run when the process exits. What it throws does not keep others from theirs. */
export function beforeExit(task: () => void): void {
  const { tasks, listener } = shared();
  tasks.add(task);
  if (!process.listeners("exit").includes(listener)) {
    process.on("exit", listener);
  }
}

/** The process may exit without it. */
export function notBeforeExit(task: () => void): void {
  const { tasks, listener } = shared();
  tasks.delete(task);
  if (tasks.size === 0) {
    process.removeListener("exit", listener);
  }
}

function shared(): Shared {
  const holder = process as NodeJS.Process & { [SHARED]?: Shared };
  if (holder[SHARED] === undefined) {
    const tasks: Shared["tasks"] = new Set();
    const value: Shared = { tasks, listener: () => runAll(tasks.values()) };
    Object.defineProperty(holder, SHARED, { value });
  }
  return holder[SHARED] as Shared;
}

function runAll(tasks: Iterator<() => void>): void {
  const next = tasks.next();
  if (next.done) {
    return;
  }
  try {
    next.value();
  } finally {
    runAll(tasks);
  }
}
