// Which glibc a binary needs: the newest version among the symbols that it takes from it.

import { run } from "./command.mjs";
import { StepFailure } from "./step.mjs";

/**
 * @param {string} binary its path
 * @returns {Promise<string | undefined>} such as "2.28"; nothing when it takes no symbol from glibc
 */
export async function newestGlibc(binary) {
  const { ok, missing, output } = await run("objdump", ["-T", binary], {
    stdout: "keep",
    stderr: "keep",
  });
  if (missing || !ok) {
    throw new StepFailure(
      missing ? "objdump was not found" : `objdump failed: ${output.trim()}`,
      "It is in binutils (Debian: `apt-get install binutils`)",
    );
  }
  const versions = Array.from(output.matchAll(/\(?GLIBC_(\d[\d.]*)\)?/g), ([, version]) => version);
  return versions.sort(compareVersions).at(-1);
}

/** Number by number: 2.9 is older than 2.28. */
export function compareVersions(one, other) {
  const others = other.split(".").map(Number);
  for (const [index, part] of one.split(".").map(Number).entries()) {
    if (part !== (others[index] ?? 0)) return part - (others[index] ?? 0);
  }
  return 0;
}
