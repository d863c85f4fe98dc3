"use strict";

// The record of the page, which is packed: base64 of a text that was deflated (RFC 1951). Browsers
// can inflate only since 2023, and then not at once.

/** Where the range of each code begins, and how many more bits say which number of it is meant. */
function rangesOfCodes(count, first, alike) {
  const found = [];
  for (let code = 0, start = first; code < count; code++) {
    const bits = Math.max(0, Math.floor(code / alike) - 1);
    found.push([start, bits]);
    start += 2 ** bits;
  }
  return found;
}

const MOST_AT_ONCE = 258; // bytes that one code stands for
const LENGTHS = [...rangesOfCodes(28, 3, 4), [MOST_AT_ONCE, 0]];
const DISTANCES = rangesOfCodes(30, 1, 2);
const LENGTHS_COME_SO = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIXED = [[144, 8], [112, 9], [24, 7], [8, 8]].flatMap(([count, bits]) => Array(count).fill(bits));
const END = 256; // of a block; what is more is a length, what is less a byte

/** By the next `bits` bits, the first of them lowest: symbol * 16 + how many of them it takes. */
function tableOf(lengths) {
  const most = Math.max(1, ...lengths);
  const table = new Uint16Array(2 ** most);
  let code = 0;
  for (let length = 1; length <= most; length++, code *= 2) {
    lengths.forEach((own, symbol) => {
      if (own !== length) return;
      const backwards = [...code.toString(2).padStart(length, "0")].reverse().join("");
      for (let n = parseInt(backwards, 2); n < table.length; n += 2 ** length) table[n] = symbol * 16 + length;
      code++;
    });
  }
  return { table, bits: most };
}

/** The text in a record. */
function inflated(record) {
  const bytes = Uint8Array.from(atob(record), (letter) => letter.charCodeAt(0));
  let out = new Uint8Array(8 * bytes.length);
  let size = 0; // of what is in `out`
  let position = 0;
  let held = 0; // bits that were read and not taken, `count` of them
  let count = 0;

  function look(number) {
    for (; count < number; count += 8) held |= bytes[position++] << count;
    return held & ((1 << number) - 1);
  }

  function drop(number) {
    held >>>= number;
    count -= number;
  }

  function take(number) {
    const found = look(number);
    drop(number);
    return found;
  }

  function symbol({ table, bits }) {
    const found = table[look(bits)];
    drop(found & 15);
    return found >> 4;
  }

  /** Makes room for so many bytes more. */
  function reserve(number) {
    if (size + number <= out.length) return;
    const larger = new Uint8Array(2 * (size + number));
    larger.set(out);
    out = larger;
  }

  const inRange = ([start, more]) => start + take(more);

  /** The lengths of the codes of a block, which are coded themselves. */
  function readLengths() {
    const [literals, distances, known] = [take(5) + 257, take(5) + 1, take(4) + 4];
    const own = Array(19).fill(0);
    for (const place of LENGTHS_COME_SO.slice(0, known)) own[place] = take(3);
    const table = tableOf(own);
    const found = [];
    while (found.length < literals + distances) {
      const code = symbol(table);
      if (code < 16) found.push(code);
      else if (code === 16) found.push(...Array(3 + take(2)).fill(found[found.length - 1]));
      else found.push(...Array(code === 17 ? 3 + take(3) : 11 + take(7)).fill(0));
    }
    return [found.slice(0, literals), found.slice(literals)];
  }

  function stored() {
    drop(count % 8);
    const length = take(16);
    take(16); // the same again, turned round
    reserve(length);
    for (let n = 0; n < length; n++) out[size++] = take(8);
  }

  function coded([literals, distances]) {
    const [tableOfLiterals, tableOfDistances] = [tableOf(literals), tableOf(distances)];
    for (;;) {
      const code = symbol(tableOfLiterals);
      if (code === END) return;
      reserve(MOST_AT_ONCE);
      if (code < END) {
        out[size++] = code;
        continue;
      }
      const length = inRange(LENGTHS[code - END - 1]);
      const back = inRange(DISTANCES[symbol(tableOfDistances)]);
      for (let n = 0; n < length; n++, size++) out[size] = out[size - back];
    }
  }

  for (let last = 0; !last; ) {
    last = take(1);
    const kind = take(2);
    if (kind === 0) stored();
    else coded(kind === 1 ? [FIXED, Array(30).fill(5)] : readLengths());
  }
  return new TextDecoder().decode(out.subarray(0, size));
}
