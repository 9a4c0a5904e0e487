// Boxes as numbers: [x0, y0, x1, y1] in whole pixels of a photo, x1 and y1 exclusive. Nothing here knows the page.

/** Pixels a side that a box has at least. */
export const LEAST = 16;

const between = (low, number, high) => Math.min(Math.max(low, number), Math.max(low, high));

/** The box that two opposite corners span, in the photo and not too small. */
export function spanned([ax, ay], [bx, by], { width, height }) {
  const side = (one, other, length) => {
    const least = Math.min(LEAST, length);
    const start = between(0, Math.round(Math.min(one, other)), length - least);
    return [start, between(start + least, Math.round(Math.max(one, other)), length)];
  };
  const [x0, x1] = side(ax, bx, width);
  const [y0, y1] = side(ay, by, height);
  return [x0, y0, x1, y1];
}

/** The box shifted, as far as the photo reaches. */
export function moved([x0, y0, x1, y1], dx, dy, { width, height }) {
  const x = between(0, Math.round(x0 + dx), width - (x1 - x0));
  const y = between(0, Math.round(y0 + dy), height - (y1 - y0));
  return [x, y, x + (x1 - x0), y + (y1 - y0)];
}

/**
 * The box with some edges shifted; the others stay where they are.
 * @param {string} edges letters of "nesw"
 */
export function stretched([x0, y0, x1, y1], edges, dx, dy, { width, height }) {
  const leastX = Math.min(LEAST, width);
  const leastY = Math.min(LEAST, height);
  return [
    edges.includes("w") ? between(0, Math.round(x0 + dx), x1 - leastX) : x0,
    edges.includes("n") ? between(0, Math.round(y0 + dy), y1 - leastY) : y0,
    edges.includes("e") ? between(x0 + leastX, Math.round(x1 + dx), width) : x1,
    edges.includes("s") ? between(y0 + leastY, Math.round(y1 + dy), height) : y1,
  ];
}

/** The box grown (or, with a negative number, shrunk) by so many pixels on every side. */
export function grown(box, by, size) {
  return stretched(stretched(box, "nw", -by, -by, size), "se", by, by, size);
}

/** Where a garment mostly is: the middle of the photo. */
export function middle({ width, height }) {
  return spanned([width * 0.2, height * 0.2], [width * 0.8, height * 0.8], { width, height });
}

/** The box in words. */
export function inWords([x0, y0, x1, y1], { width, height }) {
  return `left ${x0}, top ${y0}, ${x1 - x0} wide, ${y1 - y0} high, of ${width} by ${height} pixels`;
}
