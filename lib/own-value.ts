/**
 * Accessors that can be assigned to, as if they were fields.
 *
 * Where socket.io has a field that is the same for all objects of a kind, or can be found through another, sio-rs has an accessor on the
 * prototype, since a field takes eight bytes in every connection. An application may assign to it all the same.
 */

/** Makes a value an object's own, whatever accessor its prototype has. */
export function ownValue(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}

/** Lets values be assigned over accessors of a prototype that have no setter. */
export function letAssign<Prototype extends object>(
  prototype: Prototype,
  names: readonly (keyof Prototype & string)[],
): void {
  for (const name of names) {
    Object.defineProperty(prototype, name, {
      ...Object.getOwnPropertyDescriptor(prototype, name),
      set(this: object, value: unknown) {
        ownValue(this, name, value);
      },
    });
  }
}
