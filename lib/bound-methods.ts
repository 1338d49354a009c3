/**
 * Methods that can be taken off their object: `const { ondata } = client`. socket.io binds them in the constructor, a closure each for every
 * connection; here they are bound when somebody reads them.
 */
import { ownValue } from "./own-value";

type Method = (...args: any[]) => unknown;

/**
 * Replaces methods of a class by accessors that give them bound. On the prototype itself they are read and replaced unbound.
 *
 * @returns the methods as they are on the prototype now, for calls that need no closure; what is put on the prototype later is found there too
 */
export function bindOnRead<Names extends string>(
  prototype: object,
  names: readonly Names[],
): Record<Names, Method> {
  const methods = {} as Record<Names, Method>;
  for (const name of names) {
    methods[name] = Reflect.get(prototype, name) as Method;
    Object.defineProperty(prototype, name, {
      configurable: true,
      enumerable: false,
      get(this: object) {
        return this === prototype ? methods[name] : methods[name].bind(this);
      },
      set(this: object, method: Method) {
        if (this === prototype) {
          methods[name] = method;
        } else {
          ownValue(this, name, method);
        }
      },
    });
  }
  return methods;
}
