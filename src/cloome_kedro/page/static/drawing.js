// The structure editor JSME, in a frame of its own: it needs scripts that the page itself forbids. It is loaded when it
// is first opened.
import { byId } from "./dom.js";

/** The button and the frame of the editor; `whenDrawn` gets a SMILES. */
export class Editor {
  constructor(whenDrawn) {
    this.frame = byId("editor");
    this.isReady = false;
    this.smiles = "";
    byId("draw").addEventListener("click", () => this.toggle());
    window.addEventListener("message", (event) => {
      if (event.origin !== window.location.origin || event.source !== this.frame.contentWindow) return;
      if (event.data?.ready === true) {
        this.isReady = true;
        this.show(byId("smiles").value.trim());
      } else if (typeof event.data?.smiles === "string") {
        this.smiles = event.data.smiles;
        whenDrawn(this.smiles);
      }
    });
  }

  toggle() {
    const box = byId("editor-box");
    box.hidden = !box.hidden;
    byId("draw").setAttribute("aria-expanded", String(!box.hidden));
    byId("draw").textContent = box.hidden ? "Draw it" : "Close the editor";
    if (!this.frame.src) this.frame.src = "/editor";
  }

  /** Show a structure in the editor. */
  show(smiles) {
    if (!this.isReady || smiles === this.smiles) return;
    this.smiles = smiles;
    this.frame.contentWindow.postMessage({ show: smiles }, window.location.origin);
  }
}
