/**
 * Strings that many connections have in common, kept once: addresses, URLs.
 *
 * What peers send goes in, so there is a bound, and what is in it is dropped when that is reached: no peer can fill it for good.
 */
export class StringPool {
  private readonly strings = new Map<string, string>();

  /**
   * @param capacity strings at the most
   * @param maxLength strings that are longer, in UTF-16 units, are left alone
   */
  constructor(
    private readonly capacity: number,
    private readonly maxLength: number,
  ) {}

  /** The same text, as the string that came first. */
  intern(text: string): string {
    const known = this.strings.get(text);
    if (known !== undefined || text.length > this.maxLength) {
      return known ?? text;
    }
    if (this.strings.size >= this.capacity) {
      this.strings.clear();
    }
    this.strings.set(text, text);
    return text;
  }
}
