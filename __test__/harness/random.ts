// Random choices that come again: the same seed gives the same sequence.

import { randomInt } from "node:crypto";

/** The seed of this run: `SIO_RS_SEED`, or another one each time. A test that fails has to print it. */
export function seedOfRun(): number {
  const given = Number(process.env.SIO_RS_SEED ?? randomInt(2 ** 31));
  if (!Number.isInteger(given)) {
    throw new Error(`SIO_RS_SEED is an integer, not "${process.env.SIO_RS_SEED}"`);
  }
  return given;
}

/** A pseudo-random source (mulberry32). */
export class Random {
  constructor(private state: number) {}

  /** A number from 0 up to, but not including, 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  times<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }

  /** True in one of so many cases. */
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}
