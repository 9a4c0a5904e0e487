// What this tab keeps while it is open: the last photos and answers, so that the back button shows them at once.

/** Keeps the values that were put in last; the others are forgotten. */
export class Recent {
  #values = new Map();
  #most;
  #forget;

  /** @param {number} most values kept  @param {(value) => void} [forget] called with each that goes */
  constructor(most, forget = () => {}) {
    this.#most = most;
    this.#forget = forget;
  }

  get(key) {
    return this.#values.get(key);
  }

  has(key) {
    return this.#values.has(key);
  }

  put(key, value) {
    this.#values.delete(key);
    this.#values.set(key, value);
    for (const [oldest, old] of this.#values) {
      if (this.#values.size <= this.#most) break;
      this.#values.delete(oldest);
      this.#forget(old);
    }
  }
}
