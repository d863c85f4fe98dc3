// Code in a link: `#code=` with the text as UTF-8, deflated, in base64 for addresses.

export const MOST_CODE = 100_000; // characters
const MOST_LINK = 5 * MOST_CODE; // any code that fits makes a shorter one
const MARK = "#code=";

export class LinkError extends Error {}

const through = (bytes, step) => new Blob([bytes]).stream().pipeThrough(step);

// The part of an address from `#` on.
export async function encoded(code) {
  if (code.length > MOST_CODE)
    throw new LinkError(`This code has ${code.length.toLocaleString("en")} characters; a link `
      + `holds ${MOST_CODE.toLocaleString("en")}. Save it as a file instead.`);
  const packed = through(new TextEncoder().encode(code), new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return MARK + btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// The code of such a part; null where it has none, a LinkError where it cannot be read.
export async function decoded(hash) {
  if (!hash.startsWith(MARK)) return null;
  if (hash.length > MOST_LINK) throw new LinkError("This link is too long: its code is left out.");
  try {
    const packed = hash.slice(MARK.length).replace(/(%20|[^\w-])+$/, ""); // a sentence's full stop
    const letters = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
    return await inflated(Uint8Array.from(letters, (letter) => letter.charCodeAt(0)));
  } catch (error) {
    if (error instanceof LinkError) throw error;
    throw new LinkError("The code in this link is damaged. Was the whole link copied?");
  }
}

// A few bytes may unpack to gigabytes: no more is read than code may have.
async function inflated(bytes) {
  const reader = through(bytes, new DecompressionStream("deflate-raw")).getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: !done });
    if (text.length > MOST_CODE) {
      reader.cancel().catch(() => {});
      throw new LinkError("The code in this link is too long: it is left out.");
    }
    if (done) return text;
  }
}
