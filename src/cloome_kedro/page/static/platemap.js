// The map of a plate: a grid of wells, of which one at a time can be reached by Tab, and the others by arrow keys.
import { FOLD_COLOURS, PALETTE, byId, make } from "./dom.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const rowName = (row) => (row < 26 ? LETTERS[row] : LETTERS[Math.floor(row / 26) - 1] + LETTERS[row % 26]);

/** What a well holds, in words. */
function describe(well) {
  const parts = [well.well, well.control ? "control" : (well.compound ?? "no compound")];
  if (well.concentration_um !== null) parts.push(`${well.concentration_um} µM`);
  if (well.moa) parts.push(well.moa);
  if (well.fold) parts.push(`${well.fold} fold`);
  return parts.join(", ");
}

/** Colour of a well by the compound that it holds. */
function ofCompound(inchikey) {
  let sum = 0;
  for (const letter of inchikey) sum = (31 * sum + letter.charCodeAt(0)) % 9973;
  return PALETTE[sum % PALETTE.length];
}

function colourOf(well, by) {
  if (well.control) return FOLD_COLOURS.control;
  if (by === "fold") return FOLD_COLOURS[well.fold] ?? "#b9c1ca";
  if (by === "compound") return well.inchikey ? ofCompound(well.inchikey) : "#b9c1ca";
  return PALETTE[0];
}

function legend(by, wells) {
  if (by === "compound") {
    return [["", "A colour stands for several compounds. Wells of the chosen compound have a frame."]];
  }
  const present = (name) => wells.some((well) => (well.control ? "control" : well.fold) === name);
  const groups = by === "fold"
    ? Object.entries(FOLD_COLOURS).filter(([name]) => present(name)).map(([name, colour]) => [colour, name])
    : [[PALETTE[0], "treated"], [FOLD_COLOURS.control, "control"]];
  return groups;
}

/** Show a plate; `whenChosen` gets a well. */
export function showPlate(plate, by, chosen, whenChosen) {
  const grid = byId("plate-map");
  const at = new Map(plate.wells.map((well) => [`${well.row},${well.column}`, well]));
  const current = plate.wells.find((well) => well.well_id === chosen);
  const first = current ?? plate.wells[0];
  const read = (well) => { byId("well-readout").textContent = well ? describe(well) : ""; };
  const rows = [];
  const head = [make("span", { role: "columnheader", class: "corner" })];
  for (let column = 0; column < plate.columns; column += 1) {
    const isShown = plate.columns <= 12 || column === 0 || (column + 1) % 6 === 0;
    head.push(make("span", { role: "columnheader", "aria-label": `column ${column + 1}` },
      isShown ? String(column + 1) : ""));
  }
  rows.push(make("div", { role: "row", class: "plate-row" }, ...head));
  for (let row = 0; row < plate.rows; row += 1) {
    const cells = [make("span", { role: "rowheader" }, rowName(row))];
    for (let column = 0; column < plate.columns; column += 1) {
      const well = at.get(`${row},${column}`);
      if (!well) {
        cells.push(make("span", { role: "gridcell", class: "no-well" }));
        continue;
      }
      const button = make("button", {
        type: "button", class: "well", tabindex: well === first ? "0" : "-1", "data-place": `${row},${column}`,
        "aria-label": describe(well), "aria-pressed": String(well === current), title: describe(well),
      });
      button.style.setProperty("--well", colourOf(well, by));
      const isTwin = current && well !== current && current.inchikey && well.inchikey === current.inchikey;
      button.classList.toggle("twin", Boolean(isTwin));
      button.classList.toggle("is-control", well.control);
      cells.push(make("span", { role: "gridcell" }, button));
    }
    rows.push(make("div", { role: "row", class: "plate-row" }, ...cells));
  }
  grid.setAttribute("aria-label", `Wells of the plate ${plate.plate}`);
  grid.style.setProperty("--columns", plate.columns);
  grid.replaceChildren(...rows);
  const wellOf = (element) => at.get(element?.closest?.(".well")?.dataset.place);
  grid.onclick = (event) => { if (wellOf(event.target)) whenChosen(wellOf(event.target)); };
  grid.onmouseover = (event) => { if (wellOf(event.target)) read(wellOf(event.target)); };
  grid.onmouseleave = () => read(current);
  grid.onfocusin = (event) => read(wellOf(event.target));
  grid.onkeydown = (event) => move(event, grid, plate);
  read(current);
  byId("plate-legend").replaceChildren(...legend(by, plate.wells).map(([colour, text]) => legendEntry(colour, text)));
}

/** An entry of a legend. */
export function legendEntry(colour, text) {
  const dot = make("i", { "aria-hidden": "true" });
  if (colour) dot.style.background = colour;
  return make("li", {}, colour ? dot : null, text);
}

const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

function move(event, grid, plate) {
  const from = event.target.closest(".well");
  if (!from) return;
  let [row, column] = from.dataset.place.split(",").map(Number);
  const find = () => grid.querySelector(`[data-place="${row},${column}"]`);
  let to = null;
  if (event.key === "Home") to = grid.querySelector(`[data-place^="${row},"]`);
  else if (event.key === "End") to = [...grid.querySelectorAll(`[data-place^="${row},"]`)].at(-1);
  else if (STEPS[event.key]) {
    const [down, right] = STEPS[event.key];
    do {
      row += down;
      column += right;
      to = find();
    } while (!to && row >= 0 && column >= 0 && row < plate.rows && column < plate.columns);
  } else return;
  event.preventDefault();
  if (!to) return;
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}
