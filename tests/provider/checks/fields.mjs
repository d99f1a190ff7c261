// What the checks of every dialect are made of. A check returns what is wrong, as `{ status, message, param }`, or null.

export const wrong = (message, param = null, status = 400) => ({ status, message, param });
export const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** The first name of `object` that is not among `names`. */
export const unknownField = (object, names) => Object.keys(object).find((name) => !names.has(name));

/** The first complaint of `check` about one of `list`, with its index. */
export function first(list, check) {
  for (const [index, value] of list.entries()) {
    const found = check(value, index);
    if (found) return found;
  }
  return null;
}
