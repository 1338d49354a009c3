/**
 * What is to be done before the process exits, by all loaded copies of lib/ together.
 *
 * Test runners load packages anew for each file or test. A listener of `exit` for each copy would make Node warn of a leak at the eleventh,
 * so there is one for all of them, in a place of the process that every copy finds.
 */
const TASKS = Symbol.for("sio-rs.beforeExit");

type Holder = { [TASKS]?: Set<() => void> };

/** Has `task` run when the process exits. What it throws does not keep others from theirs. */
export function beforeExit(task: () => void): void {
  tasksOf(process as Holder).add(task);
}

function tasksOf(holder: Holder): Set<() => void> {
  const known = holder[TASKS];
  if (known !== undefined) {
    return known;
  }
  const tasks = new Set<() => void>();
  Object.defineProperty(holder, TASKS, { value: tasks });
  process.on("exit", () => runAll(tasks.values()));
  return tasks;
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
