// The structure editor in its frame. It tells the page the SMILES of what is drawn, and shows what the page sends.
"use strict";

let applet = null;
let waiting = "";

function show(smiles) {
  if (!applet) waiting = smiles;
  else if (smiles !== applet.smiles()) {
    if (smiles) applet.readGenericMolecularInput(smiles);
    else applet.reset();
  }
}

// JSME calls this function when it is loaded.
window.jsmeOnLoad = () => {
  const box = document.getElementById("jsme");
  applet = new window.JSApplet.JSME("jsme", `${box.clientWidth}px`, `${box.clientHeight}px`, {
    options: "query,hydrogens,noreaction,nostar,nopaste,nosearchinchiKey",
  });
  applet.setCallBack("AfterStructureModified", () => {
    window.parent.postMessage({ smiles: applet.smiles() }, window.location.origin);
  });
  if (waiting) show(waiting);
  window.parent.postMessage({ ready: true }, window.location.origin);
  window.addEventListener("resize", () => applet.setSize(`${box.clientWidth}px`, `${box.clientHeight}px`));
};

window.addEventListener("message", (event) => {
  if (event.origin === window.location.origin && typeof event.data?.show === "string") show(event.data.show);
});
