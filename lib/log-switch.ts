/**
 * Whether a namespace of `DEBUG` is on, for the lines of hot paths: one field to look at.
 *
 * `debug.enabled` is a getter that looks for changes with every reading, 10 to 25 ns each, and a message would meet a dozen of them. Nothing
 * tells when `debug.enable()` is called while the process runs, so the switches follow at the next batch of events or commands, or the next
 * request. Lines of cold paths need no switch: `debug` itself is up to date at any time.
 */
import debugModule, { type Debugger } from "debug";

export class LogSwitch {
  isOn: boolean;

  constructor(private readonly debug: Debugger) {
    this.isOn = debug.enabled;
  }

  refresh(): void {
    this.isOn = this.debug.enabled;
  }
}

/** What the package compares too, to see whether something has changed. */
const source = debugModule as { namespaces?: string };
const switches: LogSwitch[] = [];
let seen = source.namespaces;

/** The switch of a namespace. Made once, when a file is loaded. */
export function switchOf(debug: Debugger): LogSwitch {
  const made = new LogSwitch(debug);
  switches.push(made);
  return made;
}

/** Brings all switches up to date. */
export function refreshSwitches(): void {
  if (source.namespaces !== seen) {
    seen = source.namespaces;
    for (const known of switches) {
      known.refresh();
    }
  }
}
