// Elements of the page. Texts are set as texts, never as markup.

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/** Make an element with attributes and children; a text becomes a text node. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Fill a select with `[value, text]` pairs, and choose a value. */
export function fill(select, options, chosen = "") {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  select.value = options.some(([value]) => value === chosen) ? chosen : (options[0]?.[0] ?? "");
}

/** Text as a sentence: with a capital letter and a full stop. SMILES and names at the start stay as they are. */
export function sentence(text) {
  const trimmed = text.trim();
  const capital = /^[a-z]+ /.test(trimmed) ? trimmed[0].toUpperCase() + trimmed.slice(1) : trimmed;
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** Show an error near a control, or remove it. */
export function showError(id, text, control = null) {
  byId(id).textContent = text ? sentence(text) : "";
  if (control) control.setAttribute("aria-invalid", text ? "true" : "false");
}

/** Say a text to screen readers. */
export function announce(text) {
  byId("live").textContent = "";
  window.setTimeout(() => { byId("live").textContent = text; }, 50);
}

/** Colours of groups, distinguishable with colour-blindness (Okabe and Ito 2008, extended). */
export const PALETTE = [
  "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c7a00", "#7f4fc9", "#a04000", "#4b8f29",
  "#c2185b", "#00838f",
];

/** Colours of folds and of controls. */
export const FOLD_COLOURS = { train: "#56b4e9", validation: "#e69f00", test: "#d55e00", control: "#7d8794" };

/** Number with separators. */
export const counted = (number) => number.toLocaleString("en-US");

/** Share as percentage. */
export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}\u00a0%`;
