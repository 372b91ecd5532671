// Calls of the JSON interface of the server.

/** An error that the server explains in one sentence. */
export class Problem extends Error {
  constructor(text, status, about = "") {
    super(text);
    this.status = status;
    this.about = about;
  }
}

function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== "" && each !== null && each !== undefined) query.append(name, each);
    }
  }
  return query.size ? `${path}?${query}` : path;
}

async function call(url, options) {
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer: is `cloome serve` still running?", 0);
  }
  if (!answer.ok) {
    const found = await answer.json().catch(() => ({}));
    throw new Problem(found.detail ?? `The server answers with status ${answer.status}`, answer.status, found.about);
  }
  return answer;
}

const json = async (url, options) => (await call(url, options)).json();
const of = (index) => `/api/indexes/${encodeURIComponent(index)}`;

export const listIndexes = () => json("/api/indexes");
export const describeIndex = (index) => json(of(index));
export const readPlate = (index, plate) => json(address(`${of(index)}/plate`, { plate }));
export const readMap = (index) => json(`${of(index)}/map`);
export const guessChannels = (names) => json(address("/api/channels", { file: names }));
export const ask = (index, question, signal) => json(address(`${of(index)}/answer`, question), { signal });
export const drawing = (smiles) => address("/api/drawing.svg", { smiles });

/** Ask with files: a form with one file for each channel. */
export const askWithFiles = (index, form, selection, signal) =>
  json(address(`${of(index)}/answer`, selection), { method: "POST", body: form, signal });

/** Thumbnails of fields: `{pixels, size: [fields, channels, height, width]}`. */
export async function readThumbnails(index, fields, signal) {
  const answer = await call(address(`${of(index)}/thumbnails`, { field: fields }), { signal });
  return {
    size: answer.headers.get("X-Shape").split(",").map(Number),
    pixels: new Uint8Array(await answer.arrayBuffer()),
  };
}
