// The map of the embedding space on a canvas: fields as dots, compounds as diamonds.
import { FOLD_COLOURS, PALETTE, byId, counted, percent } from "./dom.js";
import { legendEntry } from "./platemap.js";

const GROUPS = 8;
const GREY = "#a3abb5";
const MARGIN = 12;

/** A map that is drawn from the answer of the server; `whenChosen(kind, key)` is called with a point. */
export class SpaceMap {
  constructor(canvas, whenChosen) {
    this.canvas = canvas;
    this.whenChosen = whenChosen;
    this.points = [];
    this.current = -1;
    this.marked = new Set();
    this.reset();
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => { this.pressed = null; });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.25 : 0.8, this.placeOf(event));
    }, { passive: false });
    new ResizeObserver(() => this.draw()).observe(canvas);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  reset() {
    this.scale = 1;
    this.shift = [0, 0];
  }

  /** Show the answer of the server. */
  load(map) {
    this.map = map;
    this.reset();
    this.current = -1;
    this.arrange();
    byId("map-note").textContent =
      `Two principal components explain ${percent(map.explained[0], 1)} and ${percent(map.explained[1], 1)} of the ` +
      "variance. The mean of each side is subtracted, so that fields and compounds overlap." +
      ["fields", "compounds"].filter((kind) => map[kind].keys.length < map[kind].total).map((kind) =>
        ` ${counted(map[kind].keys.length)} of ${counted(map[kind].total)} ${kind} are drawn.`).join("");
  }

  /** Take points and colours from the map by the chosen settings. */
  arrange(keep = null) {
    const by = byId("map-colour").value;
    const names = this.map[by];
    const groups = by === "fold" ? names : names.slice(0, GROUPS);
    const colours = groups.map((name, at) => (by === "fold" ? FOLD_COLOURS[name] ?? PALETTE[at] : PALETTE[at]));
    this.points = [];
    for (const kind of ["fields", "compounds"]) {
      if (!byId(`map-${kind}`).checked) continue;
      const { keys, names: texts, x, y } = this.map[kind];
      keys.forEach((key, at) => {
        const group = this.map[kind][by][at];
        this.points.push({
          kind, key, x: x[at], y: y[at], text: texts[at], group: names[group] ?? "",
          colour: colours[group] ?? GREY,
        });
      });
    }
    this.points.sort((a, b) => (a.colour !== GREY) - (b.colour !== GREY));
    const bounds = [Infinity, -Infinity, Infinity, -Infinity];
    for (const { x, y } of this.points) {
      bounds[0] = Math.min(bounds[0], x);
      bounds[1] = Math.max(bounds[1], x);
      bounds[2] = Math.min(bounds[2], y);
      bounds[3] = Math.max(bounds[3], y);
    }
    this.bounds = bounds;
    this.current = keep ? this.points.findIndex((point) => point.key === keep) : -1;
    const others = names.length > groups.length ? [[GREY, `${names.length - groups.length} others`]] : [];
    byId("map-legend").replaceChildren(
      ...[...groups.map((name, at) => [colours[at], name]), ...others].map(([colour, text]) => legendEntry(colour, text)));
    this.draw();
  }

  /** Mark the hits of an answer. */
  mark(keys) {
    this.marked = new Set(keys);
    this.draw();
  }

  at(point) {
    const [left, right, bottom, top] = this.bounds;
    const size = [this.canvas.clientWidth, this.canvas.clientHeight];
    const x = MARGIN + ((point.x - left) / (right - left || 1)) * (size[0] - 2 * MARGIN);
    const y = MARGIN + ((top - point.y) / (top - bottom || 1)) * (size[1] - 2 * MARGIN);
    return [x * this.scale + this.shift[0], y * this.scale + this.shift[1]];
  }

  draw() {
    const { canvas } = this;
    if (!canvas.clientWidth || !this.map) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const ink = style.getPropertyValue("--ink").trim();
    const marked = [];
    for (const point of this.points) {
      const [x, y] = this.at(point);
      if (this.marked.has(point.key)) marked.push([point, x, y]);
      context.globalAlpha = point.colour === GREY ? 0.45 : 0.8;
      context.fillStyle = point.colour;
      shape(context, point.kind, x, y, point.kind === "fields" ? 2.2 : 3.4);
      context.fill();
    }
    context.globalAlpha = 1;
    context.strokeStyle = ink;
    for (const [point, x, y] of marked) {
      context.lineWidth = 1.5;
      context.fillStyle = point.colour;
      shape(context, point.kind, x, y, 5);
      context.fill();
      context.stroke();
    }
    if (this.current >= 0) {
      const [x, y] = this.at(this.points[this.current]);
      context.lineWidth = 3;
      context.strokeStyle = style.getPropertyValue("--focus").trim();
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      context.stroke();
      context.lineWidth = 1;
      context.strokeStyle = ink;
      context.beginPath();
      context.arc(x, y, 11, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /** Nearest point to a place on the canvas, within some pixels; -1 if there is none. */
  nearest([x, y], within) {
    let best = -1;
    let least = within ** 2;
    this.points.forEach((point, number) => {
      const [px, py] = this.at(point);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance <= least) [best, least] = [number, distance];
    });
    return best;
  }

  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  press(event) {
    this.pressed = { from: this.placeOf(event), shift: [...this.shift], moved: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  drag(event) {
    const place = this.placeOf(event);
    if (!this.pressed) {
      const near = this.nearest(place, 10);
      this.canvas.style.cursor = near >= 0 ? "pointer" : "grab";
      if (near >= 0 && near !== this.current) this.choose(near);
      return;
    }
    const by = [place[0] - this.pressed.from[0], place[1] - this.pressed.from[1]];
    if (Math.hypot(...by) > 4) this.pressed.moved = true;
    if (this.pressed.moved) {
      this.shift = [this.pressed.shift[0] + by[0], this.pressed.shift[1] + by[1]];
      this.draw();
    }
  }

  release(event) {
    const { pressed } = this;
    this.pressed = null;
    if (!pressed || pressed.moved) return;
    const near = this.nearest(this.placeOf(event), 16);
    if (near < 0) return;
    this.choose(near);
    this.ask();
  }

  choose(number) {
    this.current = number;
    const point = this.points[number];
    const what = point.kind === "fields" ? `field ${point.key.split("/").slice(1).join(" ")}` : "compound";
    byId("map-readout").textContent = `${what}: ${point.text}${point.group ? `, ${point.group}` : ""}`;
    this.draw();
  }

  ask() {
    const point = this.points[this.current];
    if (point) this.whenChosen(point.kind === "fields" ? "field" : "compound", point.key);
  }

  zoom(factor, place = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]) {
    const scale = Math.min(40, Math.max(1, this.scale * factor));
    const by = scale / this.scale;
    this.shift = scale === 1 ? [0, 0] : this.shift.map((shift, axis) => place[axis] - by * (place[axis] - shift));
    this.scale = scale;
    this.draw();
  }

  key(event) {
    const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (direction) this.step(direction);
    else if (event.key === "Enter" || event.key === " ") this.ask();
    else if (event.key === "+" || event.key === "=") this.zoom(1.5, this.focusPlace());
    else if (event.key === "-") this.zoom(1 / 1.5, this.focusPlace());
    else if (event.key === "0") { this.reset(); this.draw(); } else return;
    event.preventDefault();
  }

  focusPlace() {
    return this.current >= 0 ? this.at(this.points[this.current]) : undefined;
  }

  /** Go to the nearest point in a direction. */
  step([right, down]) {
    if (this.current < 0) {
      const middle = this.nearest([this.canvas.clientWidth / 2, this.canvas.clientHeight / 2], Infinity);
      if (middle >= 0) this.choose(middle);
      return;
    }
    const [x, y] = this.at(this.points[this.current]);
    let best = -1;
    let least = Infinity;
    this.points.forEach((point, number) => {
      const [px, py] = this.at(point);
      const along = (px - x) * right + (py - y) * down;
      const beside = Math.abs((px - x) * down) + Math.abs((py - y) * right);
      if (number === this.current || along < 0.5 || beside > along) return;
      const distance = along + 2 * beside;
      if (distance < least) [best, least] = [number, distance];
    });
    if (best < 0) return;
    this.choose(best);
    this.keepInside();
  }

  /** Move the map so that the chosen point can be seen. */
  keepInside() {
    const place = this.at(this.points[this.current]);
    const size = [this.canvas.clientWidth, this.canvas.clientHeight];
    place.forEach((at, axis) => {
      if (at < MARGIN) this.shift[axis] += size[axis] / 2 - at;
      if (at > size[axis] - MARGIN) this.shift[axis] -= at - size[axis] / 2;
    });
    this.draw();
  }
}

function shape(context, kind, x, y, radius) {
  context.beginPath();
  if (kind === "fields") {
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  context.moveTo(x, y - radius);
  context.lineTo(x + radius, y);
  context.lineTo(x, y + radius);
  context.lineTo(x - radius, y);
  context.closePath();
}

/** Connect the controls beside the map. */
export function connectControls(map) {
  const again = () => map.map && map.arrange(map.points[map.current]?.key);
  for (const id of ["map-colour", "map-fields", "map-compounds"]) byId(id).addEventListener("change", again);
  byId("zoom-in").addEventListener("click", () => map.zoom(1.5));
  byId("zoom-out").addEventListener("click", () => map.zoom(1 / 1.5));
  byId("zoom-reset").addEventListener("click", () => { map.reset(); map.draw(); });
}
