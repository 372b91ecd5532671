// The view is in the address of the page, so that a link reproduces it.

/** Parts of a question. One of them is set, or none. */
export const QUESTIONS = ["smiles", "compound", "field", "well"];
const DEFAULTS = {
  index: "", smiles: "", compound: "", field: "", well: "", for: "", top: "20", plate: "", moa: "", fold: "",
  channels: "", contrast: "0", tab: "structure", on: "",
};

/** Read the view from the address. */
export function readView() {
  const query = new URLSearchParams(window.location.search);
  const view = {};
  for (const [name, value] of Object.entries(DEFAULTS)) view[name] = query.get(name) ?? value;
  return view;
}

/** Address of a view, without what is at its default. */
export function addressOf(view) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(DEFAULTS)) {
    if (view[name] && view[name] !== value) query.set(name, view[name]);
  }
  return query.size ? `/?${query}` : "/";
}

/** Write the view into the address: as a new step of the history, or in place of the present one. */
export function writeView(view, isStep) {
  const address = addressOf(view);
  if (address === window.location.pathname + window.location.search) return;
  if (isStep) window.history.pushState(null, "", address);
  else window.history.replaceState(null, "", address);
}

/** Changes that make a question the only one. */
export function question(name, value) {
  return { ...Object.fromEntries(QUESTIONS.map((each) => [each, ""])), ...(name ? { [name]: value } : {}) };
}
