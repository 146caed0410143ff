// Search over item ids, names and category paths: categories at once, items when all parts have
// been looked through, which begins with the first look at the box.

const box = document.getElementById('search');
const results = document.getElementById('results');
const found = document.getElementById('found');
const statusLine = document.getElementById('status');
const SHOWN_CATEGORIES = 6;
const SHOWN_ITEMS = 24;
const WEIGHED_ITEMS = 600;
const PLACES = 3;

/** Of each part that was looked through: ids in order, the texts, and the item of each row. */
const looked = [];
let looking = null;
let options = [];
let chosenOption = -1;
/** What the options answer, and the timer until the next answer. */
let answered = null;
let waiting = 0;

/** Returns a text by which it is found: without case and accents. */
function folded(text) {
  const lower = text.toLowerCase();
  return /^[\x00-\x7f]*$/.test(lower) ? lower : lower.normalize('NFKD').replace(/\p{M}/gu, '');
}

let pathTexts = null;

/** Looks through every part, once. */
function index() {
  looking ??= lookThrough();
  return looking;
}

async function lookThrough() {
  for (let part = 0; part < facts.firsts.length; part += 1) {
    const data = await unpack(part);
    // Neither ids nor names can hold the separator once line ends are spaces.
    const texts = data.ids.map((id, at) => `${id}\t${data.names[at] ?? ''}`.replace(/\n/g, ' '));
    const text = `\n${folded(texts.join('\n'))}\n`;
    const starts = new Uint32Array(data.ids.length);
    for (let at = 0, from = 1; at < starts.length; at += 1) {
      starts[at] = from;
      from = text.indexOf('\n', from) + 1;
    }
    looked.push({ part, ids: data.ids, names: data.names, text, starts, item: Int32Array.from(data.item) });
    if (part % 16 === 15) {
      statusLine.textContent = `Reading the items, ${Math.floor(100 * part / facts.firsts.length)} %`;
      await new Promise((done) => { setTimeout(done, 0); });
    }
  }
}

/** Returns the place of the greatest value that is not above, of ascending ones. */
function placeIn(starts, value) {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= value) low = middle; else high = middle - 1;
  }
  return low;
}

/** Returns an id's place among a part's, which come in order; -1 where it is none of them. */
function placeOfId(ids, id) {
  let low = 0;
  let high = ids.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (ids[middle] === id) return middle;
    if (ids[middle] < id) low = middle + 1; else high = middle - 1;
  }
  return -1;
}

/** Returns everywhere an item ranks, the best place first. */
function placesOf(id) {
  const places = [];
  for (const { part, ids, item } of looked) {
    const wanted = placeOfId(ids, id);
    if (wanted < 0) continue;
    let category = facts.firsts[part];
    let from = 0;
    for (let row = item.indexOf(wanted); row >= 0; row = item.indexOf(wanted, row + 1)) {
      while (row >= from + directory.items[category]) {
        from += directory.items[category];
        category += 1;
      }
      places.push({ category: categories.get(directory.paths[category]), rank: row - from + 1 });
    }
  }
  return places.sort((a, b) => a.rank - b.rank || a.category.level - b.category.level);
}

/** Returns items in which the words stand, those that fit best first. */
function itemsWith(query) {
  const words = folded(query).split(/\s+/).filter(Boolean);
  const longest = words.reduce((a, b) => (b.length > a.length ? b : a), '');
  const fits = new Map();
  const exact = query.trim();
  for (const { ids, names } of looked) {
    const at = placeOfId(ids, exact);
    if (at >= 0) fits.set(exact, { id: exact, name: names[at] ?? null, weight: 0 });
  }
  for (const { ids, names, text, starts } of looked) {
    for (let from = text.indexOf(longest); from >= 0 && fits.size < WEIGHED_ITEMS;) {
      const at = placeIn(starts, from);
      const end = text.indexOf('\n', from);
      const line = text.slice(starts[at], end);
      if (!fits.has(ids[at]) && words.every((word) => line.includes(word))) {
        fits.set(ids[at], { id: ids[at], name: names[at] ?? null, weight: weigh(line, words) });
      }
      from = text.indexOf(longest, end);
    }
  }
  // An item may be told of that is no longer listed anywhere.
  const items = [...fits.values()].map((item) => ({ ...item, places: placesOf(item.id) })).filter(({ places }) => places.length > 0);
  return items.sort((a, b) => a.weight - b.weight || a.places[0].rank - b.places[0].rank);
}

/** Returns how well a line fits: at its beginning, where words begin, or anywhere. */
function weigh(line, words) {
  const begins = (word) => line.startsWith(word) || /[\s\p{P}]/u.test(line[line.indexOf(word) - 1] ?? ' ');
  return (line.startsWith(words[0]) ? 1 : 2) + (words.every(begins) ? 0 : 2);
}

function categoriesWith(query) {
  const words = folded(query).split(/[\s/›]+/).filter(Boolean);
  pathTexts ??= [...categories.values()].map((category) => ({ category, text: folded(category.words) }));
  const fits = pathTexts.filter(({ text }) => words.every((word) => text.includes(word)));
  const last = words[words.length - 1] ?? '';
  // A category that is called so itself comes before those that lie in one.
  const weight = ({ category }) => (folded(category.name).startsWith(last) ? 0 : folded(category.name).includes(last) ? 1 : 2);
  return fits.map((fit) => [weight(fit), fit]).sort(([a, x], [b, y]) => a - b || x.category.level - y.category.level).map(([, fit]) => fit.category);
}

/** Draws what was found. */
async function look() {
  const query = box.value;
  if (query.trim() === '') return closeResults();
  const inTree = categoriesWith(query);
  drawResults(inTree, []);
  await index();
  if (box.value !== query || box !== document.activeElement) return;
  const items = itemsWith(query);
  drawResults(inTree, items);
  statusLine.textContent = foundWords(inTree.length, items.length);
  answered = query;
  found.dataset.answers = query;
}

function drawResults(inTree, items) {
  options = [];
  const groups = [];
  if (inTree.length > 0) {
    groups.push(group('Categories', inTree.slice(0, SHOWN_CATEGORIES).map((category) => option(linkTo(category.path), name(category.words)))));
  }
  if (items.length > 0) groups.push(group('Items', items.slice(0, SHOWN_ITEMS).map((item) => option(linkToItem(item.id), ...foundItem(item)))));
  found.replaceChildren(...groups);
  results.hidden = false;
  box.setAttribute('aria-expanded', 'true');
  choose(options.length > 0 ? 0 : -1);
}

function foundWords(inTree, items) {
  if (inTree + items === 0) return 'Nothing found.';
  const all = items >= WEIGHED_ITEMS ? `more than ${number(WEIGHED_ITEMS)} items` : counted(items, 'item');
  return `Found: ${counted(inTree, 'category', 'categories')}, ${all}.`;
}

function group(title, children) {
  return make('div', { role: 'group', 'aria-label': title }, make('p', { class: 'heading', 'aria-hidden': 'true' }, title), children);
}

function option(link, ...children) {
  const at = options.length;
  const element = make('div', {
    id: `option-${at}`, role: 'option', class: 'option', 'aria-selected': 'false',
    // The box keeps the focus, or the list would be closed before the click.
    mousedown: (event) => event.preventDefault(),
    click: () => { choose(at); goToChosen(); },
  }, children);
  options.push({ element, link });
  return element;
}

/** Returns an item, and where it ranks. */
function foundItem({ id, name: called, places }) {
  const first = places.slice(0, PLACES).map(({ category, rank }) => [`#${number(rank)} in `, name(category.words)]);
  const joined = first.flatMap((words, at) => (at > 0 ? [', ', ...words] : words));
  const rest = places.length > PLACES ? ` and ${number(places.length - PLACES)} more` : '';
  const own = called === null ? null : name(id, { class: 'id' });
  return [name(called ?? id), own, make('span', { class: 'places' }, joined, rest)];
}

function choose(at) {
  options[chosenOption]?.element.setAttribute('aria-selected', 'false');
  chosenOption = at;
  const element = options[at]?.element;
  if (!element) return box.removeAttribute('aria-activedescendant');
  element.setAttribute('aria-selected', 'true');
  element.scrollIntoView({ block: 'nearest' });
  box.setAttribute('aria-activedescendant', element.id);
}

function goToChosen() {
  const chosen = options[chosenOption];
  if (!chosen) return;
  location.hash = chosen.link;
  box.value = '';
  closeResults();
  box.blur();
}

function closeResults() {
  results.hidden = true;
  options = [];
  chosenOption = -1;
  answered = null;
  clearTimeout(waiting);
  box.setAttribute('aria-expanded', 'false');
  box.removeAttribute('aria-activedescendant');
}

/** Goes to what is chosen of the answer to all that was typed. */
async function takeChosen() {
  clearTimeout(waiting);
  if (answered !== box.value) await look();
  goToChosen();
}

function onSearchKey(event) {
  const count = options.length;
  const steps = {
    ArrowDown: () => choose(count === 0 ? -1 : (chosenOption + 1) % count),
    ArrowUp: () => choose(count === 0 ? -1 : (chosenOption - 1 + count) % count),
    Enter: () => { takeChosen().catch(failed); },
    Escape: () => { box.value = ''; closeResults(); box.blur(); },
  };
  if (!steps[event.key]) return;
  event.preventDefault();
  steps[event.key]();
}

function startSearch() {
  box.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => look().catch(failed), 60);
  });
  box.addEventListener('focus', () => { index().catch(failed); });
  box.addEventListener('blur', closeResults);
  box.addEventListener('keydown', onSearchKey);
  document.addEventListener('keydown', (event) => {
    const isTyping = event.target.closest?.('input, textarea') || event.ctrlKey || event.metaKey || event.altKey;
    if (event.key !== '/' || isTyping) return;
    event.preventDefault();
    box.focus();
  });
}
