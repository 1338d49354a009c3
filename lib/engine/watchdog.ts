/**
 * The JavaScript end of the watchdog: gives the core's thread its signs of life. That thread writes to the standard error of the process
 * while this one is stalled; what can be told here is told when it is over.
 */
import timers from "node:timers";
import { runOutside } from "../async-context";
import { BindingWatchdog } from "../link";

/** Taken now, and not from the globals: a test's fake timers must not look like a stall. */
const { setInterval, clearInterval } = timers;

/** Signs of life in the time after which a stall is reported. */
const SIGNS = 4;

export class Watchdog {
  private readonly binding: InstanceType<typeof BindingWatchdog>;
  private readonly timer: NodeJS.Timeout;

  /**
   * @param stalledAfter milliseconds after which a stall is reported
   * @param onOver called when the thread is back, with the milliseconds that it was away
   */
  constructor(stalledAfter: number, onOver: (duration: number) => void) {
    this.binding = new BindingWatchdog(stalledAfter);
    this.timer = runOutside(() =>
      setInterval(() => {
        const duration = this.binding.sign();
        if (duration > 0) {
          onOver(duration);
        }
      }, stalledAfter / SIGNS),
    ).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.binding.stop();
  }
}
