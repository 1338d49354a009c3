/**
 * Methods that tell when somebody replaces them on one object.
 *
 * Tools wrap a method of a socket that is connected already (`client.writeToEngine = wrapped`). A broadcast that is left to the core calls
 * none of them, so whoever decides that has to know. The method becomes an accessor of its prototype: calls cost what they did, and an
 * assignment makes the own property that it would have made anyway. `Object.defineProperty` on the object goes unseen.
 */
import { ownValue } from "./own-value";

/**
 * @param prototype where the method is
 * @param name of the method
 * @param onReplaced called after it was replaced on an object
 */
export function tellWhenReplaced<Owner extends object>(
  prototype: Owner,
  name: keyof Owner & string,
  onReplaced: (owner: Owner) => void,
): void {
  const method = prototype[name];
  Object.defineProperty(prototype, name, {
    configurable: true,
    enumerable: false,
    get: () => method,
    set(this: Owner, value: unknown) {
      if (this === prototype) {
        Object.defineProperty(prototype, name, {
          value,
          configurable: true,
          writable: true,
          enumerable: false,
        });
      } else {
        ownValue(this, name, value);
        onReplaced(this);
      }
    },
  });
}
