// Sending a photo to the service, and bringing the boxes of its answer back to the photo as it is seen here.

import { detect, search } from "./api.js";

/**
 * Searches with a photo.
 * @param {object} photo
 * @param {object} choices {k, category, space, box, region, where, facets}
 * @param {number} maxBytes what the service takes
 */
export async function searchWith(photo, choices, maxBytes, signal) {
  const { answer, inPhoto } = await send(photo, choices.box, maxBytes, (sent) =>
    search(sent.image, { ...choices, box: sent.box }, signal));
  return { ...answer, hits: answer.hits.map((hit) => ({ ...hit, region: inPhoto(hit.region) })) };
}

/** The spots of a photo, as the service tells them. */
export async function detectIn(photo, maxBytes) {
  const { answer, inPhoto } = await send(photo, null, maxBytes, (sent) => detect(sent.image));
  return answer.spots.map((spot) => ({ ...spot, box: inPhoto(spot.box) }));
}

async function send(photo, box, maxBytes, call) {
  const once = async () => {
    const sent = await photo.toSend(box, maxBytes);
    return { sent, answer: await call(sent) };
  };
  let { sent, answer } = await once();
  if (sent.image === photo.file && photo.disagrees(answer.width, answer.height)) {
    // This browser and the service turn the file differently. A picture drawn here has only one way up.
    photo.redraw = true;
    ({ sent, answer } = await once());
  }
  const grow = photo.isShown ? [photo.width / sent.width, photo.height / sent.height] : [1, 1];
  return { answer, inPhoto: (region) => region?.map((number, axis) => number * grow[axis % 2]) ?? null };
}
