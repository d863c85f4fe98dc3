"use strict";

// Numbers as texts, the same as those that Python writes.

/** A number of the JSON, where nan and inf are texts. */
function numeric(x) {
  return typeof x === "string" ? Number(x.replace("inf", "Infinity")) : x;
}

/** A number of a card: four decimals, as `number` in picture.py. */
function number(x) {
  const value = numeric(x);
  if (!Number.isFinite(value)) return special(value);
  const size = Math.abs(value);
  const plain = size === 0 || (size >= 1e-4 && size < 1e5);
  return sign(value) + (plain ? evenly(size, "toFixed", 4) : padded(evenly(size, "toExponential", 2)));
}

/** A number of a sentence: four digits that count, as `short` in picture.py. */
function short(x) {
  const value = numeric(x);
  if (!Number.isFinite(value)) return special(value);
  const size = Math.abs(value);
  const [digits, power] = evenly(size, "toExponential", 3).split("e");
  const plain = power >= -4 && power < 4;
  const written = plain ? evenly(size, "toFixed", 3 - power) : digits;
  const cut = written.includes(".") ? written.replace(/\.?0+$/, "") : written;
  return sign(value) + cut + (plain ? "" : padded(`e${power}`));
}

function special(value) {
  return String(value).replace("Infinity", "inf").replace("NaN", "nan");
}

function sign(value) {
  return value < 0 || Object.is(value, -0) ? "-" : "";
}

/** Exponents have two digits at least. */
function padded(text) {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** Ties go to the even digit as in Python; JavaScript alone rounds them up. */
function evenly(size, form, digits) {
  const rounded = size[form](digits);
  const [long, exponent = ""] = size[form](digits + 30).split("e");
  const cut = long.length - 30;
  const tie = /^50*$/.test(long.slice(cut));
  const odd = "13579".includes(long.slice(0, cut).replace(".", "").slice(-1));
  return tie && !odd ? long.slice(0, cut).replace(/\.$/, "") + (exponent && `e${exponent}`) : rounded;
}
