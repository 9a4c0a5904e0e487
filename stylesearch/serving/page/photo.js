// A photo that somebody chose: shown from memory, made smaller where that is safe, sent.
//
// Boxes are always in pixels of the photo as it is seen (upright, full size). What is uploaded may be smaller;
// then the box is scaled with it, so that both belong together.

import { Problem } from "./api.js";

/** Pixels of the longer side, and bytes, up to which a file is sent as it is. */
const FINE_SIDE = 2000;
const FINE_BYTES = 3 * 2 ** 20;
/** Pixels that the longer side keeps when a photo is made smaller, and that the longer side of a box keeps. */
const WHOLE_SIDE = 1600;
const BOX_SIDE = 640;
const QUALITY = 0.9;
/** Phones draw no canvas with more pixels than this. */
const CANVAS_PIXELS = 16e6;

let lastNumber = 0;

export class Photo {
  #whole = null;

  /** Use {@link openPhoto}. `width` and `height` are 0 where this browser cannot show the file. */
  constructor(file, url, width, height) {
    lastNumber += 1;
    // Of this life of the page: an entry in the history may still hold the number of a photo that is gone.
    const number = `${performance.timeOrigin}-${lastNumber}`;
    Object.assign(this, { number, file, url, width, height, redraw: false });
    /** What was found in it (see spots.js); null until then, and where that failed. */
    this.spots = null;
    /** What a search without box and region looked at. */
    this.seen = null;
  }

  get isShown() {
    return this.width > 0;
  }

  /**
   * What to send for this photo and box.
   * @param {?number[]} box x0, y0, x1, y1 in pixels of the photo
   * @param {number} maxBytes what the service takes
   * @returns {Promise<{image: Blob, box: ?number[], width: number, height: number}>} box in pixels of `image`
   */
  toSend(box, maxBytes) {
    if (box) return this.#made(box, maxBytes);
    // One picture for all that is asked of the whole photo: the numbers of its spots are those of this picture.
    if (this.#whole?.redraw !== this.redraw) {
      const made = this.#made(null, maxBytes);
      this.#whole = { redraw: this.redraw, made };
      made.catch(() => {
        this.#whole = null;
      });
    }
    return this.#whole.made;
  }

  async #made(box, maxBytes) {
    const room = maxBytes - 4096; // the form around the picture takes some bytes as well
    const fine = this.file.size <= Math.min(room, FINE_BYTES) && Math.max(this.width, this.height) <= FINE_SIDE;
    if (!this.isShown || (fine && !this.redraw)) {
      if (this.file.size > room) throw tooLarge(this.file.size, maxBytes);
      return { image: this.file, box, width: this.width, height: this.height };
    }
    const picture = await shown(this.url);
    for (let scale = this.#scale(box); ; scale *= 0.7) {
      const width = Math.max(1, Math.round(this.width * scale));
      const height = Math.max(1, Math.round(this.height * scale));
      const image = await drawn(picture, width, height);
      if (image.size <= room) return { image, box: scaled(box, this, width, height), width, height };
      if (Math.max(width, height) < 256) throw tooLarge(image.size, maxBytes);
    }
  }

  /** A small box keeps more of the photo's pixels: what is in it is all that is searched for. */
  #scale(box) {
    const whole = WHOLE_SIDE / Math.max(this.width, this.height);
    const part = box ? BOX_SIDE / Math.max(box[2] - box[0], box[3] - box[1]) : 0;
    const drawable = Math.sqrt(CANVAS_PIXELS / (this.width * this.height));
    return Math.min(1, drawable, Math.max(whole, part));
  }

  /** The service saw other dimensions than this browser (an orientation that only one of them honours). */
  disagrees(width, height) {
    return this.isShown && width !== null && (width !== this.width || height !== this.height);
  }

  forget() {
    URL.revokeObjectURL(this.url);
  }
}

/** Opens a file. One that this browser cannot show (HEIC in most) is still worth sending as it is. */
export async function openPhoto(file) {
  const url = URL.createObjectURL(file);
  try {
    const picture = await shown(url);
    return new Photo(file, url, picture.naturalWidth, picture.naturalHeight);
  } catch {
    return new Photo(file, url, 0, 0);
  }
}

async function shown(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode(); // naturalWidth and drawImage are upright from here on: browsers apply EXIF themselves
  return picture;
}

function drawn(picture, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "#fff"; // as the service does with what is transparent
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Problem({ title: "This photo could not be made smaller" }))),
      "image/jpeg",
      QUALITY,
    );
  });
}

function scaled(box, from, width, height) {
  if (!box) return null;
  const x = width / from.width;
  const y = height / from.height;
  const [x0, y0] = [Math.floor(box[0] * x), Math.floor(box[1] * y)];
  return [x0, y0, Math.max(x0 + 1, Math.min(width, Math.ceil(box[2] * x))),
    Math.max(y0 + 1, Math.min(height, Math.ceil(box[3] * y)))];
}

function tooLarge(bytes, maxBytes) {
  const megabytes = (number) => `${(number / 2 ** 20).toFixed(1)} MB`;
  return new Problem({
    status: 413,
    title: "The file is too large",
    detail: `It has ${megabytes(bytes)}; ${megabytes(maxBytes)} can be sent.`,
  });
}
