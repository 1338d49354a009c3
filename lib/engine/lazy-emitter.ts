/**
 * An EventEmitter without its constructor: Node makes the table of listeners at the first `on`, so an object nobody listens to
 * costs nothing for being able to emit. `instanceof EventEmitter` holds.
 */
import { EventEmitter } from "node:events";

function Lazy(): void {
  // Deliberately empty: EventEmitter's constructor would fill three own fields.
}
Object.setPrototypeOf(Lazy.prototype, EventEmitter.prototype);
Object.setPrototypeOf(Lazy, EventEmitter);

/** Base class of the objects that exist once per connection. */
export const LazyEmitter = Lazy as unknown as typeof EventEmitter;

/** Whether anybody has ever listened to `emitter`; saves an `emit` and its arguments. */
export function hasListeners(emitter: EventEmitter): boolean {
  return (emitter as unknown as { _events?: object })._events !== undefined;
}
