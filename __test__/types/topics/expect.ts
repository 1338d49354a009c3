// Assertions that the compiler checks; nothing of this runs.

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `is<Expected>()(value)`: the type of `value` is exactly `Expected`. */
export declare function is<Expected>(): <Actual>(
  value: Equal<Expected, Actual> extends true ? Actual : never,
) => void;

/** The value can be assigned to `Expected`. */
export declare function accepts<Expected>(value: Expected): void;
