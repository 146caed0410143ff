// What the page knows: facts and a directory of categories at once, the rest in packed parts that
// are unpacked when something of theirs is to be seen.

const facts = JSON.parse(document.getElementById('facts').textContent);
const directory = facts;

/** Parts that were unpacked, the last used last. */
const unpacked = new Map();
const UNPACKED_AT_MOST = 6;

/** Returns which part holds a category. */
function partOf(category) {
  let low = 0;
  let high = facts.firsts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (facts.firsts[middle] <= category) low = middle; else high = middle - 1;
  }
  return low;
}

/** Returns a part's packed text, once the page has come that far. */
async function packed(part) {
  const id = `part-${part}`;
  if (!document.getElementById(id) && document.readyState === 'loading') {
    await new Promise((done) => document.addEventListener('DOMContentLoaded', done, { once: true }));
  }
  const element = document.getElementById(id);
  if (!element) throw new Error('This page is cut off: a part of it is missing.');
  return element.textContent;
}

/** Unpacks a part. */
async function unpack(part) {
  const text = atob((await packed(part)).trim());
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(plain).json();
}

/** Returns a part, of which a few are kept. */
function load(part) {
  const known = unpacked.get(part);
  const loading = known ?? unpack(part);
  unpacked.delete(part);
  unpacked.set(part, loading);
  if (unpacked.size > UNPACKED_AT_MOST) unpacked.delete(unpacked.keys().next().value);
  return loading;
}

/** Returns a category's own figures and its rows, best first. */
async function categoryAt(category) {
  const part = partOf(category);
  const data = await load(part);
  let from = 0;
  for (let before = facts.firsts[part]; before < category; before += 1) from += directory.items[before];
  const own = data.categories[category - facts.firsts[part]];
  const rows = [];
  for (let rank = 1; rank <= directory.items[category]; rank += 1) rows.push(rowAt(data, from + rank - 1, rank));
  return { ...own, dropped: own.dropped.map(([item, rank]) => ({ ...itemAt(data, item), rank })), rows };
}

function itemAt(data, item) {
  return { id: data.ids[item], name: data.names[item] ?? null };
}

function rowAt(data, at, rank) {
  return {
    ...itemAt(data, data.item[at]),
    rank,
    units: data.units[at],
    measured: data.measured[at],
    extended: data.extended[at] ?? null,
    share: data.share[at] ?? null,
    previous: data.previous[at],
    weeks: data.weeks[at],
    days: facts.days && data.days.slice(at * 7, at * 7 + 7),
  };
}

/** A category as the tree has it; one that ranks nothing itself has no number. */
class Category {
  constructor(path, parent) {
    this.path = path;
    this.parent = parent;
    this.number = null;
    this.below = [];
    this.level = parent ? parent.level + 1 : 1;
    this.isOpen = false;
  }

  get name() {
    return this.path === null ? 'Whole shop' : spelled(this.path.slice(this.path.lastIndexOf('/') + 1));
  }

  get units() {
    return this.number === null ? null : directory.units[this.number];
  }

  /** Returns the categories above, the top one first. */
  get above() {
    return this.parent ? [...this.parent.above, this.parent] : [];
  }

  /** Returns the names of all levels, for search and for reading. */
  get words() {
    return [...this.above, this].map((category) => category.name).join(' › ');
  }
}

/** Every category by its path, the whole shop as `null`. */
const categories = new Map();
const tops = [];

function categoryOf(path) {
  const known = categories.get(path);
  if (known) return known;
  const cut = path === null ? -1 : path.lastIndexOf('/');
  const parent = cut < 0 ? null : categoryOf(path.slice(0, cut));
  const category = new Category(path, parent);
  (parent ? parent.below : tops).push(category);
  categories.set(path, category);
  return category;
}

directory.paths.forEach((path, number) => {
  categoryOf(path).number = number;
});
