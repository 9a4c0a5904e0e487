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
  // Entering a child comes before leaving its parent: only counting tells when the window was left.
  let depth = 0;
  const drop = (open) => {
    curtain.hidden = !open;
    if (!open) depth = 0;
  };
  // A product's picture that is dragged from this page is on its way elsewhere.
  let isInside = false;
  document.addEventListener("dragstart", () => {
    isInside = true;
  });
  document.addEventListener("dragend", () => {
    isInside = false;
  });
  const isOurs = (event) => !isInside && [...(event.dataTransfer?.types ?? [])].some((type) => /^(Files|text\/uri-list)$/.test(type));

  window.addEventListener("dragenter", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    depth += 1;
    drop(true);
  });
  window.addEventListener("dragover", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  window.addEventListener("dragleave", (event) => {
    if (!isOurs(event)) return;
    depth -= 1;
    if (depth <= 0) drop(false);
  });
  window.addEventListener("drop", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault(); // else the browser leaves the page for the file
    drop(false);
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
