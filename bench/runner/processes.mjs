// The processes of a run: whatever becomes of it they end with it, by a deadline at the latest, and with this process when
// somebody presses Ctrl+C.

/** Processes that would outlive this one. */
const alive = new Set();
process.on("exit", () => {
  for (const child of alive) child.kill();
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/**
 * Does `work`, which is given a function to hand its processes to, and ends those of them that are left.
 *
 * @returns what `work` returns; rejected if that takes longer than `deadlineMs`
 */
export async function withProcesses(deadlineMs, work) {
  const children = [];
  const own = (child) => {
    children.push(child);
    alive.add(child);
    return child;
  };
  let timer;
  const deadline = new Promise((_, reject) => {
    const late = new Error(`not done in ${deadlineMs / 1000} s`);
    timer = setTimeout(() => reject(late), deadlineMs);
  });
  try {
    return await Promise.race([work(own), deadline]);
  } finally {
    clearTimeout(timer);
    for (const child of children) {
      child.kill();
      alive.delete(child);
    }
  }
}
