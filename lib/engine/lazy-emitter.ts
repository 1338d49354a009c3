/**
 * An EventEmitter without its constructor: Node makes the table of listeners at the first `on`, so an object nobody listens to
 * costs nothing for being able to emit. `instanceof EventEmitter` holds.
 */
import { EventEmitter } from "node:events";

/** What Node's module `domain` sets once it is loaded, and the initialisation that it then hangs itself into. */
const domains = EventEmitter as unknown as {
  readonly usingDomains?: boolean;
  init(this: object): void;
};

/** EventEmitter's constructor would fill three own fields. */
function Lazy(this: object): void {
  if (domains.usingDomains) {
    domains.init.call(this); // the emitter belongs to the domain that is entered
  }
}
Object.setPrototypeOf(Lazy.prototype, EventEmitter.prototype);
Object.setPrototypeOf(Lazy, EventEmitter);

/** Base class of the objects that exist once per connection. */
export const LazyEmitter = Lazy as unknown as typeof EventEmitter;

/** Whether anybody has ever listened to `emitter`; saves an `emit` and its arguments. */
export function hasListeners(emitter: EventEmitter): boolean {
  return (emitter as unknown as { _events?: object })._events !== undefined;
}
