// The table of an answer as CSV.

const COLUMNS = [
  "rank", "score", "worth", "key", "compound", "inchikey", "smiles", "moa", "fold", "plate", "well", "site",
  "concentration_um", "control", "fields",
];

/** One cell. A text that a spreadsheet would take for a formula gets an apostrophe. */
function cell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && /^[=+@\t\r]|^-(?![\d.])/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** CSV of hits. Columns without any value are left out. */
export function toCsv(hits) {
  const columns = COLUMNS.filter((name) => hits.some((hit) => hit[name] !== null && hit[name] !== undefined));
  const lines = hits.map((hit) => columns.map((name) => cell(hit[name])).join(","));
  return [columns.join(","), ...lines, ""].join("\r\n");
}

/** Let the browser save a text as a file. */
export function download(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
