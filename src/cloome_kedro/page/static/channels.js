// The channels that pictures show, and their contrast.
import { byId, make } from "./dom.js";

/** Whether each channel is shown: all, or those whose names are in a text such as "ER,DNA". */
export function shownChannels(details, chosen) {
  const names = Object.keys(details.colours);
  const wanted = chosen ? chosen.split(",") : names;
  return names.map((name) => wanted.includes(name));
}

/** Text of the channels after one is switched on or off; empty: all. One channel stays. */
export function toggled(details, chosen, name) {
  const names = Object.keys(details.colours);
  const shown = shownChannels(details, chosen);
  const left = names.filter((each, at) => shown[at] !== (each === name));
  if (!left.length) return chosen;
  return left.length === names.length ? "" : left.join(",");
}

/** Show the buttons of the channels; `whenToggled` gets a name. */
export function showChannels(details, chosen, whenToggled) {
  const box = byId("channels");
  const shown = shownChannels(details, chosen);
  const names = Object.keys(details.colours);
  if (box.querySelectorAll("button").length !== names.length) {
    box.append(...names.map((name) => {
      const button = make("button", { type: "button", "data-channel": name, onclick: () => whenToggled(name) },
        make("i", { "aria-hidden": "true" }), name);
      const [red, green, blue] = details.colours[name].map((part) => Math.round(255 * part));
      button.style.setProperty("--channel", `rgb(${red} ${green} ${blue})`);
      return button;
    }));
  }
  box.querySelectorAll("button").forEach((button, at) => button.setAttribute("aria-pressed", String(shown[at])));
}

/** Show the factor of the contrast beside its control. */
export function showContrast(contrast) {
  const factor = 2 ** Number(contrast);
  byId("contrast-value").textContent = `× ${factor.toFixed(factor < 1 ? 2 : 1)}`;
}
