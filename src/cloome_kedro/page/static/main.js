// The page: its view, its controls, and the questions that they ask.
import * as api from "./api.js";
import { showChannels, showContrast, shownChannels, toggled } from "./channels.js";
import { download, toCsv } from "./csv.js";
import { announce, byId, counted, fill, showError } from "./dom.js";
import { Editor } from "./drawing.js";
import { showPlate } from "./platemap.js";
import { Results } from "./results.js";
import { SpaceMap, connectControls } from "./spacemap.js";
import { QUESTIONS, addressOf, question, readView, writeView } from "./state.js";
import { makeTabs } from "./tabs.js";
import { Upload } from "./upload.js";

let view = readView();
let details = null; // of the chosen index
let plate = null; // the shown plate
let isUpload = false; // whether the question are files
let running = null; // aborts the running question
let mapOf = ""; // index whose map is shown
const isOneColumn = window.matchMedia("(max-width: 899px)"); // the answer is below the question

const ERRORS = {
  smiles: ["smiles-error", "smiles"], compound: ["compound-error", "compound"], well: ["well-error", null],
  field: ["map-error", null], upload: ["files-error", "files"], answer: ["answer-error", null],
};
const results = new Results(({ ask, ...changes }) => {
  isUpload = false;
  change({ ...question(...ask), ...changes }, { focus: true });
});
const upload = new Upload(() => Object.keys(details?.colours ?? {}), () => {
  isUpload = true;
  change({ ...question(), for: "" });
});
const map = new SpaceMap(byId("map"), (kind, key) => {
  isUpload = false;
  change({ ...question(kind, key), for: "" });
});
const editor = new Editor((smiles) => { byId("smiles").value = smiles; });
const showTab = makeTabs(document.querySelector("[role=tablist]"), (name) => {
  view.tab = name;
  writeView(view, false);
  if (name === "well") loadPlate();
  if (name === "map") loadMap();
});

const asked = () => (isUpload ? "upload" : QUESTIONS.find((name) => view[name]));
const kindOf = () => view.for || (["smiles", "compound"].includes(asked()) ? "fields" : "compounds");
/** Change the view, and ask if the question or its filters have changed. */
function change(changes, { focus = false } = {}) {
  const before = asked() && view[asked()];
  view = { ...view, ...changes };
  writeView(view, true);
  showView();
  ask({ focus, isNew: before !== (asked() && view[asked()]) });
}

/** Show the view in the controls. */
function showView() {
  byId("kind").value = kindOf();
  for (const name of ["moa", "plate", "fold"]) byId(`filter-${name}`).value = view[name];
  byId("top").value = view.top;
  byId("contrast").value = view.contrast;
  showContrast(view.contrast);
  if (view.smiles && byId("smiles").value !== view.smiles) {
    byId("smiles").value = view.smiles;
    editor.show(view.smiles);
  }
  if (view.compound && view.compound !== byId("compound").value && view.tab === "structure") {
    byId("compound").value = view.compound;
  }
  if (details) showChannels(details, view.channels, toggle);
  if (plate && view.tab === "well") drawPlate();
}

function toggle(name) {
  view.channels = toggled(details, view.channels, name);
  writeView(view, false);
  showChannels(details, view.channels, toggle);
  paint();
}

const paint = () => results.paint(shownChannels(details, view.channels), Number(view.contrast));

/** Ask the question of the view. */
async function ask({ focus = false, isNew = false } = {}) {
  running?.abort();
  for (const [id, control] of Object.values(ERRORS)) showError(id, "", control && byId(control));
  const name = asked();
  if (!name || !details) {
    if (!name) results.clear();
    byId("answer").setAttribute("aria-busy", "false");
    return;
  }
  const mine = new AbortController();
  running = mine;
  byId("answer").setAttribute("aria-busy", "true");
  const selection = { kind: kindOf(), top: view.top, plate: view.plate, moa: view.moa, fold: view.fold };
  try {
    const answer = name === "upload"
      ? await api.askWithFiles(details.id, upload.form(), { ...selection, scaled_by: byId("scaled-by").value }, mine.signal)
      : await api.ask(details.id, { ...selection, [name]: view[name] }, mine.signal);
    results.show(answer, details, titleOf(name, answer));
    map.mark(answer.hits.map((hit) => hit.key));
    document.title = `${titleOf(name, answer)} – Ask the model`;
    const best = answer.hits[0];
    announce(`${counted(answer.hits.length)} ${answer.kind} found` +
      (best ? `; the first is ${best.compound ?? best.key}, score ${best.score.toFixed(3)}` : ""));
    if (focus) byId("answer-heading").focus();
    else if (isOneColumn.matches && isNew) byId("answer").scrollIntoView();
    await results.load(details.id, mine.signal, shownChannels(details, view.channels), Number(view.contrast));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof api.Problem)) console.error(error);
    fail(name, error);
  } finally {
    if (running === mine) byId("answer").setAttribute("aria-busy", "false");
  }
}

/** Show an error near the control that asked; filters and tabs that are not shown have theirs at the answer. */
function fail(name, error) {
  results.clear();
  const isFilter = ["top", "plate", "moa", "fold", "kind"].includes(error.about);
  const [id, control] = ERRORS[isFilter ? "answer" : name];
  const isShown = byId(id).parentElement.checkVisibility?.() ?? true; // an empty error is never visible itself
  if (isShown) showError(id, error.message, control && byId(control));
  else showError("answer-error", error.message);
}

function titleOf(name, answer) {
  if (name === "upload") return `your images (${answer.asked.text})`;
  if (name === "well" || name === "field") return view[name].split("/").slice(1).join(" ");
  return answer.asked.compound ?? (answer.asked.text.length > 60 ? "your structure" : answer.asked.text);
}

async function loadPlate() {
  const wanted = byId("plate").value;
  if (!details || !wanted) return;
  if (plate?.plate !== wanted || plate.index !== details.id) {
    const index = details.id;
    const isWanted = () => byId("plate").value === wanted && details.id === index; // the answers can come in another order
    try {
      const found = await api.readPlate(index, wanted);
      if (!isWanted()) return;
      plate = { ...found, index };
      showError("well-error", "");
    } catch (error) {
      if (isWanted()) showError("well-error", error.message);
      return;
    }
  }
  drawPlate();
}

function drawPlate() {
  const isFocused = byId("plate-map").contains(document.activeElement);
  showPlate(plate, byId("plate-colour").value, view.well, (well) => {
    isUpload = false;
    change({ ...question("well", well.well_id), for: "" });
  });
  if (isFocused) byId("plate-map").querySelector("[tabindex='0']")?.focus();
}

async function loadMap() {
  if (!details || mapOf === details.id) return;
  byId("map-note").textContent = "The map is computed …";
  const wanted = details.id;
  try {
    const found = await api.readMap(wanted);
    if (details.id !== wanted) return;
    mapOf = wanted;
    map.load(found);
    map.mark((results.answer?.hits ?? []).map((hit) => hit.key));
  } catch (error) {
    byId("map-note").textContent = "";
    showError("map-error", error.message);
  }
}

/** Load an index, and show the view with it. */
async function loadIndex(name) {
  running?.abort();
  details = await api.describeIndex(name);
  plate = null;
  byId("about").textContent = `${details.label} of ${details.screen}, ${details.split} split · ` +
    `${counted(details.counts.fields)} fields, ${counted(details.counts.compounds)} compounds`;
  byId("simulated").hidden = !details.simulated;
  byId("advice").hidden = !details.advice;
  byId("advice").textContent = details.advice;
  byId("footer").textContent = `Model ${details.weights} · Structure editor: JSME, Bienfait and Ertl 2013`;
  const plates = details.plates.map((each) => [each, each]);
  const all = (values) => [["", "all"], ...values.map((each) => [each, each])];
  fill(byId("plate"), plates, view.on || (view.well || view.field).split("/").at(view.well ? -2 : -3));
  fill(byId("scaled-by"), [["", "not given"], ...plates], byId("scaled-by").value);
  fill(byId("filter-moa"), all(details.mechanisms), view.moa);
  fill(byId("filter-plate"), all(details.plates), view.plate);
  fill(byId("filter-fold"), all(details.folds), view.fold);
  for (const name of ["moa", "plate", "fold"]) view[name] = byId(`filter-${name}`).value;
  byId("example").hidden = !details.example || !details.accepts.smiles;
  for (const [id, what] of [["structure-form", "smiles"], ["upload-form", "images"]]) {
    for (const control of byId(id).elements) control.disabled = !details.accepts[what];
  }
  showTab(view.tab);
  showView();
  await ask();
}

async function start() {
  connect();
  try {
    const indexes = await api.listIndexes();
    fill(byId("index"), indexes.map((each) => [each.id, `${each.label} · ${each.split} split · ${each.screen}`]), view.index);
    if (view.index && byId("index").value !== view.index) {
      showError("page-error", `This page serves no index ${view.index}: another one is shown`);
    }
    view.index = byId("index").value;
    await loadIndex(view.index);
  } catch (error) {
    showError("page-error", error.message);
  }
}

function connect() {
  const on = (id, type, then) => byId(id).addEventListener(type, then);
  const asks = (form, name) => on(form, "submit", (event) => {
    event.preventDefault();
    const value = byId(name).value.trim();
    const what = name === "smiles" ? "a SMILES, or draw a structure" : "a name or an InChIKey";
    showError(`${name}-error`, value ? "" : `Write ${what}`, byId(name));
    isUpload = false;
    if (value) change({ ...question(name, value), for: "" });
    else byId(name).focus();
  });
  asks("structure-form", "smiles");
  asks("compound-form", "compound");
  on("smiles", "keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    byId("structure-form").requestSubmit();
  });
  on("smiles", "input", () => editor.show(byId("smiles").value.trim()));
  on("example", "click", () => {
    byId("smiles").value = details.example;
    editor.show(details.example);
    byId("structure-form").requestSubmit();
  });
  on("index", "change", async () => {
    view.index = byId("index").value;
    writeView(view, true);
    showError("page-error", "");
    try { await loadIndex(view.index); } catch (error) { showError("page-error", error.message); }
  });
  on("plate", "change", () => { view.on = byId("plate").value; writeView(view, false); loadPlate(); });
  on("plate-colour", "change", () => plate && drawPlate());
  on("filters", "submit", (event) => event.preventDefault());
  for (const [id, key] of [["kind", "for"], ["filter-moa", "moa"], ["filter-plate", "plate"], ["filter-fold", "fold"], ["top", "top"]]) {
    on(id, "change", () => change({ [key]: byId(id).value }));
  }
  on("contrast", "input", () => {
    view.contrast = byId("contrast").value;
    showContrast(view.contrast);
    if (details) paint();
  });
  on("contrast", "change", () => writeView(view, false));
  on("copy", "click", copyLink);
  on("csv", "click", () => {
    if (results.answer) download(toCsv(results.answer.hits), `${details.id}_${results.answer.kind}.csv`);
  });
  connectControls(map);
  window.addEventListener("popstate", async () => {
    view = readView();
    isUpload = false;
    view.index ||= byId("index").options[0]?.value ?? "";
    if (view.index !== details?.id) {
      byId("index").value = view.index;
      await loadIndex(view.index);
      return;
    }
    showTab(view.tab);
    showView();
    ask();
  });
}

async function copyLink() {
  const link = window.location.origin + addressOf(view);
  byId("link").value = link;
  try {
    await navigator.clipboard.writeText(link);
    announce("The link is copied");
    byId("copy").textContent = "Link copied";
    window.setTimeout(() => { byId("copy").textContent = "Copy link"; }, 2000);
  } catch { // without permission, or without https
    byId("link-box").hidden = false;
    byId("link").focus();
    byId("link").select();
  }
  if (isUpload) showError("answer-error", "The link has no files: whoever opens it must choose them again");
}

start();
