// The answer: what was asked, how sure it is, and the hits.
import * as api from "./api.js";
import { draw, tables } from "./composite.js";
import { FOLD_COLOURS, byId, counted, make, percent, sentence } from "./dom.js";

/** Names of a hit for people. */
const nameOf = (hit) => hit.compound ?? (hit.control ? "control" : (hit.inchikey ?? hit.key));
const placeOf = (hit) => `${hit.plate} ${hit.well} site ${hit.site}`;

/** Shows answers. `whenAsked(changes)` asks again with changes of the view. */
export class Results {
  constructor(whenAsked) {
    this.whenAsked = whenAsked;
    this.pictures = []; // canvas and pixels of fields
    this.answer = null;
  }

  /** Show an answer; `title` is what was asked, as the user gave it. */
  show(answer, details, title) {
    this.answer = answer;
    this.details = details;
    this.pictures = [];
    byId("empty").hidden = true;
    byId("result").hidden = false;
    byId("asked").replaceChildren(...this.asked(answer, title));
    byId("warnings").replaceChildren(...answer.warnings.map((text) => make("li", {}, sentence(text))));
    byId("sets").replaceChildren(...this.sets(answer));
    byId("hits").className = `hits ${answer.kind}`;
    byId("hits").replaceChildren(...answer.hits.map((hit) => this.card(hit, answer.kind)));
    const hasImages = Boolean(details.thumbnail) && this.pictures.length > 0;
    byId("channels").hidden = !hasImages;
    byId("contrast-box").hidden = !hasImages;
    byId("worth-note").textContent = answer.direction && answer.hits.some((hit) => hit.worth !== null)
      ? "Worth: share of the test queries whose match ranked as high."
      : "";
    byId("answer-error").textContent = answer.hits.length ? "" : "No row fulfils the filters: choose fewer of them.";
  }

  clear() {
    this.answer = null;
    byId("empty").hidden = false;
    byId("result").hidden = true;
  }

  asked(answer, title) {
    const { asked } = answer;
    const picture = make("div", { class: "picture" });
    if (asked.fields.length && this.details.thumbnail) {
      picture.append(this.canvas(asked.fields[0], `The field ${asked.fields[0]}`));
    } else if (asked.smiles) {
      picture.append(structure(asked.smiles, asked.compound ?? "the structure of the question"));
    }
    const badge = asked.trained === true ? make("span", { class: "badge trained" }, "trained on") : null;
    return [
      ...(picture.childElementCount ? [picture] : []),
      make("div", {},
        make("h3", {}, `${answer.kind === "fields" ? "Fields" : "Compounds"} most similar to ${title} `, badge),
        make("p", { class: "soft" }, `${answer.direction ?? "similarity within one side"} · ${answer.search}`),
        make("ul", { class: "notes" }, ...answer.notes.map((text) => make("li", {}, sentence(text))))),
    ];
  }

  sets(answer) {
    if (!answer.direction) {
      return [make("p", { class: "soft small" }, "Query and hits are of the same side. How sure such an answer is has " +
        "not been measured.")];
    }
    if (!answer.sets.length) {
      return [make("p", { class: "soft small" }, "Candidate sets hold for a search of the whole index. With filters, or " +
        "without a measurement of this model, there are none.")];
    }
    const rows = answer.sets.map((set) => make("li", { title: sentence(set.text) },
      make("strong", {}, percent(set.level)),
      make("span", { class: "set-first" }, `first ${counted(set.first)} of ${counted(set.candidates)}`),
      make("span", { class: "soft small" }, set.coverage === null ? "not measured"
        : `measured ${percent(set.coverage, 1)} (${(100 * set.low).toFixed(0)}–${(100 * set.high).toFixed(0)})`)));
    return [
      make("h4", {}, "How many hits to list so that the match is among them"),
      make("ul", { class: "sets" }, ...rows),
    ];
  }

  card(hit, kind) {
    const name = nameOf(hit);
    const isField = kind === "fields";
    const label = isField ? `${name}, ${placeOf(hit)}` : name;
    const picture = make("div", { class: "picture" });
    if (isField && this.details.thumbnail) picture.append(this.canvas(hit.key, `Field of ${label}`));
    else if (hit.smiles) picture.append(structure(hit.smiles, name));
    else picture.append(make("span", { class: "soft small" }, "no picture"));
    const fold = hit.control ? "control" : hit.fold;
    const badge = fold ? make("span", { class: "badge" }, fold) : null;
    if (badge) badge.style.setProperty("--badge", FOLD_COLOURS[fold] ?? FOLD_COLOURS.train);
    const facts = [
      hit.moa, isField ? placeOf(hit) : null,
      hit.concentration_um === null ? null : `${hit.concentration_um}\u00a0µM`,
      isField || hit.fields === null ? null : `${counted(hit.fields)}\u00a0${hit.fields === 1 ? "field" : "fields"}`,
    ].filter(Boolean);
    const ask = (text, changes) => make("button", {
      type: "button", class: "quiet", "aria-label": `${text}: ${label}`, onclick: () => this.whenAsked(changes),
    }, text);
    const itself = isField ? ["field", hit.key] : ["compound", hit.key];
    return make("li", { class: "hit", "data-key": hit.key },
      picture,
      make("div", { class: "hit-text" },
        make("p", { class: "hit-name" }, make("span", { class: "rank" }, make("span", { class: "hidden-text" }, "rank "), `${hit.rank}`), name, " ", badge),
        make("p", { class: "soft small" }, facts.join(" · ")),
        make("p", { class: "scores small" }, `score ${hit.score.toFixed(3)}`,
          hit.worth === null ? "" : ` · worth\u00a0${percent(hit.worth, hit.worth < 0.1 ? 1 : 0)}`),
        make("div", { class: "row" },
          ask("More like this", { ask: itself, for: kind }),
          isField ? ask("Its compounds", { ask: itself, for: "compounds" })
            : ask("Its fields", { ask: itself, for: "fields" }))));
  }

  canvas(field, label) {
    const canvas = make("canvas", { role: "img", "aria-label": label });
    [canvas.height, canvas.width] = this.details.thumbnail;
    this.pictures.push({ field, canvas, pixels: null });
    return canvas;
  }

  /** Get the thumbnails of the shown fields, and draw them. */
  async load(index, signal, shown, contrast) {
    const mine = this.pictures;
    const fields = [...new Set(mine.map((picture) => picture.field))];
    for (let start = 0; start < fields.length; start += 50) {
      const part = fields.slice(start, start + 50);
      const { pixels, size } = await api.readThumbnails(index, part, signal);
      const length = size[1] * size[2] * size[3];
      for (const picture of mine) {
        const at = part.indexOf(picture.field);
        if (at >= 0) picture.pixels = pixels.subarray(at * length, (at + 1) * length);
      }
      this.paint(shown, contrast);
    }
  }

  /** Draw all pictures with some channels and contrast. */
  paint(shown, contrast) {
    if (!this.details?.thumbnail) return;
    const [height, width] = this.details.thumbnail;
    const channelTables = tables(this.details.limits, this.details.colours, shown, contrast);
    for (const { canvas, pixels } of this.pictures) if (pixels) draw(canvas, pixels, height, width, channelTables);
  }
}

function structure(smiles, label) {
  return make("img", { src: api.drawing(smiles), alt: `Structure of ${label}`, width: 240, height: 170, loading: "lazy" });
}
