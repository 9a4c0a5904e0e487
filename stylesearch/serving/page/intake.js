// The ways in which a photo gets into the page: chosen, taken, dropped, pasted.

import { byId } from "./elements.js";

const NO_FILE = "That was a link, not a picture. Save the picture first, then drop or choose the file.";

/**
 * @param {(file: File, nFiles: number) => void} take called with each photo
 * @param {(words: string) => void} complain called where something was given that is no file
 */
export function acceptPhotos(take, complain) {
  for (const id of ["choose", "take", "other"]) {
    const input = byId(id);
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // the same file again is a change again
      if (files.length) take(files[0], files.length);
    });
  }
  acceptDrops(take, complain);
  document.addEventListener("paste", (event) => {
    const files = filesOf(event.clipboardData);
    if (!files.length) return; // text into a field, or nothing of ours
    event.preventDefault();
    take(files[0], files.length);
  });
}

function acceptDrops(take, complain) {
  const curtain = byId("dropping");
  const draw = (isDrawn) => {
    if (curtain.hidden === isDrawn) curtain.hidden = !isDrawn;
  };
  // What is dragged from this page, a product's picture, is on its way elsewhere.
  let dragged = null;
  document.addEventListener("dragstart", (event) => {
    dragged = event.target;
  });
  document.addEventListener("dragend", () => {
    dragged = null;
  });
  // Of a drag no pointer tells, so one that does says that there is none: what was under it or dragged may have
  // been removed meanwhile, and its last events with it.
  for (const kind of ["pointerdown", "pointermove"]) {
    window.addEventListener(kind, () => {
      dragged = null;
      draw(false);
    }, { capture: true, passive: true });
  }
  const isOurs = (event) => !dragged && [...(event.dataTransfer?.types ?? [])].some((type) => /^(Files|text\/uri-list)$/.test(type));

  window.addEventListener("dragenter", (event) => {
    // From outside: another drag than that of something which is gone, and never told of its end.
    if (event.relatedTarget === null && !dragged?.isConnected) dragged = null;
    if (!isOurs(event)) return;
    event.preventDefault();
    draw(true);
  });
  window.addEventListener("dragover", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    draw(true); // for browsers that never say what is entered, and so seem to have left the window
  });
  window.addEventListener("dragleave", (event) => {
    // Not counted with dragenter: what is removed from under the pointer is left without a word.
    if (event.relatedTarget === null) draw(false);
  });
  window.addEventListener("drop", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault(); // else the browser leaves the page for the file
    draw(false);
    const files = filesOf(event.dataTransfer);
    if (files.length) take(files[0], files.length);
    else complain(NO_FILE);
  });
}

/** Its pictures; where there are none, its files: the service says best what is wrong with one. */
function filesOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  const pictures = files.filter((file) => file.type.startsWith("image/"));
  return pictures.length ? pictures : files;
}
