// The large parts of the page: texts in base64 that nothing reads before they are asked for.

const bytesOf = (element) => {
  const letters = atob(element.textContent);
  element.remove(); // it is not needed twice
  const bytes = new Uint8Array(letters.length);
  for (let k = 0; k < letters.length; k++) bytes[k] = letters.charCodeAt(k);
  return bytes;
};

export const part = async (id) => bytesOf(document.getElementById(id));

export const parts = (kind) => [...document.querySelectorAll(`[data-kind="${kind}"]`)].map(bytesOf);

export async function unpacked(id) {
  const stream = new Blob([await part(id)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
