// Files of one field: which file shows which channel.
import * as api from "./api.js";
import { byId, fill, make, showError } from "./dom.js";

const LARGEST = 48 * 2 ** 20;

/** The form for files. `channels()` gives the names of the channels; `whenAsked` gets the form and its name. */
export class Upload {
  constructor(channels, whenAsked) {
    this.channels = channels;
    this.files = [];
    byId("files").addEventListener("change", () => this.choose([...byId("files").files]));
    byId("upload-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const problem = this.problem();
      showError("files-error", problem, byId("files"));
      if (!problem) whenAsked();
    });
  }

  /** Show the chosen files, each with a select for its channel. */
  async choose(files) {
    this.files = files;
    showError("files-error", "", byId("files"));
    const channels = this.channels();
    let guesses = [];
    try {
      if (files.length && files.length <= 50) guesses = await api.guessChannels(files.map((file) => file.name.slice(-500)));
    } catch (error) {
      showError("files-error", error.message, byId("files"));
    }
    const free = channels.filter((channel) => !guesses.includes(channel));
    byId("file-list").replaceChildren(...files.slice(0, channels.length).map((file, number) => {
      const select = make("select", { "aria-label": `Channel of ${file.name}` });
      fill(select, channels.map((channel) => [channel, channel]), guesses[number] ?? free.shift() ?? channels[number]);
      return make("li", {}, make("span", { class: "file-name" }, file.name), select);
    }));
    this.guessPlate();
    const problem = files.length ? this.problem() : "";
    showError("files-error", problem, byId("files"));
  }

  /** Choose the plate that all names of files contain, if none is chosen. */
  guessPlate() {
    const select = byId("scaled-by");
    const named = [...select.options].map((option) => option.value)
      .filter((plate) => plate && this.files.length && this.files.every((file) => file.name.includes(plate)));
    if (!select.value && named.length) select.value = named.sort((a, b) => b.length - a.length)[0];
  }

  /** Why the files cannot be sent; empty if they can. */
  problem() {
    const channels = this.channels();
    if (this.files.length !== channels.length) {
      return `${this.files.length} ${this.files.length === 1 ? "file is" : "files are"} chosen; ` +
        `choose one each for ${channels.join(", ")}`;
    }
    const large = this.files.find((file) => file.size > LARGEST);
    if (large) return `${large.name} is larger than ${LARGEST / 2 ** 20} MiB, the limit for one file`;
    const named = this.named();
    const missing = channels.filter((channel) => !named.includes(channel));
    return missing.length ? `No file is given for ${missing.join(", ")}: choose another channel for one of the files` : "";
  }

  named() {
    return [...byId("file-list").querySelectorAll("select")].map((select) => select.value);
  }

  /** The form that is sent. */
  form() {
    const form = new FormData();
    this.named().forEach((channel, number) => form.append(channel, this.files[number], this.files[number].name));
    return form;
  }
}
