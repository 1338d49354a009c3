// Where processes run. The scheduler decides, but for the one scenario that its decision would drown:
// a round trip between two cores of a virtual machine takes four times as long as on one.

import { cpus } from "node:os";

/** The command line of `command`: as it is, or kept on the last core, which has fewest interrupts. */
export function placed(command, isOnOneCore) {
  return isOnOneCore ? ["taskset", "-c", String(cpus().length - 1), ...command] : command;
}
