/** Which ids were read, in 32 bytes an id or less, whatever their length: a file may have millions of rows. */
import { hash } from 'node:crypto';

/** Two words of an id's hash, and the number of its row; a row of 0 is an empty slot. */
const WORDS = 3;

/**
 * Ids and the rows they are in. Ids are known by 64 bits of their hash: among a million, the odds that two different ones are
 * taken for the same are 1 in 37 million.
 */
export class RowNumbers {
  /** How many ids there are. */
  size = 0;
  private slots = new Uint32Array(1024 * WORDS);

  /**
   * Adds an id, unless it is there.
   *
   * @param row from 1
   * @returns the row that the id is in already, if any
   */
  add(id: string, row: number): number | undefined {
    if (this.size * WORDS * 4 >= this.slots.length * 3) this.grow();
    const digest = hash('sha1', id, 'buffer');
    const [high, low] = [digest.readUInt32LE(0), digest.readUInt32LE(4)];
    const slot = find(this.slots, high, low);
    const earlier = this.slots[slot + 2] as number;
    if (earlier > 0) return earlier;
    this.slots.set([high, low, row], slot);
    this.size += 1;
    return undefined;
  }

  private grow(): void {
    const larger = new Uint32Array(this.slots.length * 2);
    for (let slot = 0; slot < this.slots.length; slot += WORDS) {
      const [high, low, row] = this.slots.subarray(slot, slot + WORDS) as unknown as [number, number, number];
      if (row > 0) larger.set([high, low, row], find(larger, high, low));
    }
    this.slots = larger;
  }
}

/** The slot of a hash, or the empty one where it belongs. */
function find(slots: Uint32Array, high: number, low: number): number {
  const count = slots.length / WORDS;
  let index = low % count;
  for (;;) {
    const slot = index * WORDS;
    if (slots[slot + 2] === 0 || (slots[slot] === high && slots[slot + 1] === low)) return slot;
    index = (index + 1) % count;
  }
}
