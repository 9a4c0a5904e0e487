// What is said of a product beside its title: the variant shown, the price, whether it is sold out, its category.

import { readable } from "./categories.js";
import { make, unseen } from "./elements.js";

/**
 * @param {object} product
 * @param {?object} image the picture that is shown beside it
 * @returns {HTMLElement[]}
 */
export function facts(product, image) {
  return [
    ...variant(image), ...price(product), ...stock(product),
    make("span", { class: "category", text: readable(product.category) }),
  ];
}

/** Of a product with variants, the one that the picture shows: "Navy". */
function variant(image) {
  const values = Object.values(image?.options ?? {});
  return values.length ? [make("span", { class: "variant", text: values.join(", ") })] : [];
}

/** The price as the shop writes it; of variants with several prices, the lowest and the highest. */
function price(product) {
  if (product.amount !== null && product.amount_max > product.amount) {
    const [least, most] = [product.amount, product.amount_max].map((amount) => money(amount, product.currency));
    return [make("span", { class: "price" },
      least, unseen(" to "), make("span", { "aria-hidden": "true", text: " \u2013 " }), most)];
  }
  return product.price ? [make("span", { class: "price", text: product.price })] : [];
}

function money(amount, currency) {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  if (!currency) return new Intl.NumberFormat(undefined, digits).format(amount);
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
  } catch {
    return `${new Intl.NumberFormat(undefined, digits).format(amount)} ${currency}`; // no such currency
  }
}

function stock(product) {
  return product.in_stock === false ? [make("span", { class: "sold-out", text: "Sold out" })] : [];
}
