// The one place where tests leave the public types: fields that the types call private
// but that adapters, monitoring packages and upstream's own tests read and write.

/** The same object, without its type. */
export function internals(object: object): any {
  return object;
}
