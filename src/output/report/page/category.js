// The main view: a category's best sellers and movers, or an item's ranks.

const main = document.getElementById('main');
const FIRST_ROWS = 100;
const MORE_ROWS = 500;
const MOVERS = 5;
const FIRST_BELOW = 8;

/** Draws a category. */
async function showCategory(category, marked) {
  const data = category.number === null ? null : await categoryAt(category.number);
  const figures = data
    ? [tiles(data), below(category), pair(data), best(category, data, marked)]
    : [make('p', {}, 'This category has no ranking of its own; its subcategories have.'), below(category)];
  return [trail(category), heading(category.name), ...figures].filter(Boolean);
}

/** Returns the days and the movers side by side. */
function pair(data) {
  return make('div', { class: 'pair' }, facts.days ? week(data) : null, movers(data));
}

function heading(text) {
  return make('h1', { tabindex: '-1' }, name(text));
}

function trail(category) {
  const shop = categories.get(null);
  const above = category === shop ? [] : [shop, ...(category?.above ?? [])].filter(Boolean);
  return make('nav', { 'aria-label': 'Breadcrumb' }, make('ol', { class: 'trail' },
    above.map((of) => make('li', {}, make('a', { href: linkTo(of.path) }, name(of.name))))));
}

/** Returns a category's own figures. */
function tiles(data) {
  const all = [
    data.whole && ['Units', number(data.whole.units)],
    data.whole && ['Purchases', number(data.whole.purchases)],
    data.whole && Number(data.whole.amount) !== 0 && ['Amount', money(data.whole.amount)],
    ['Eligible items', number(data.eligible_items)],
    ['Window', hours(facts.window_hours)],
    data.hours > facts.window_hours && ['Ordered by', `${hours(data.hours)}: few items sold in ${hours(facts.window_hours)}`],
  ];
  return make('dl', { class: 'tiles' }, all.filter(Boolean).map(([what, value]) => make('div', {}, make('dt', {}, what), make('dd', {}, value))));
}

/** Returns links to the categories directly below, those that sell most first. */
function below(category) {
  const all = category.path === null ? tops.filter((top) => top !== category) : category.below;
  if (all.length === 0) return null;
  const sorted = [...all].sort((a, b) => Number(b.units ?? 0) - Number(a.units ?? 0));
  const list = make('nav', { class: 'below', 'aria-label': 'Subcategories' });
  const add = (some) => list.append(...some.map((of) => make('a', { href: linkTo(of.path) },
    name(of.name), of.units === null ? null : make('span', { class: 'quiet' }, rough(of.units)))));
  add(sorted.slice(0, FIRST_BELOW));
  const rest = sorted.slice(FIRST_BELOW, FIRST_BELOW + MORE_ROWS);
  if (rest.length > 0) {
    const more = make('button', { type: 'button', click: () => { more.remove(); add(rest); } }, `${number(rest.length)} more`);
    list.append(more);
  }
  return list;
}

function week(data) {
  return make('section', { class: 'card' },
    make('h2', {}, 'Units by day ', make('span', { class: 'quiet' }, data.rows.length < data.eligible_items ? 'of the items listed' : '')), chart(data.days),
    facts.last_day_open ? make('p', { class: 'quiet' }, `${day(facts.days[6])} is not complete.`) : null);
}

/** Returns who moved most since the ranking before. */
function movers(data) {
  const since = facts.before ? `since ${moment(facts.before)}` : '';
  const card = make('section', { class: 'card' }, make('h2', {}, 'Movers ', make('span', { class: 'quiet' }, since)));
  const known = data.rows.filter((row) => row.previous !== null);
  if (known.length === 0) {
    card.append(make('p', { class: 'quiet' }, facts.before ? 'This category had no ranking then.' : 'There is no earlier ranking to compare with.'));
    return card;
  }
  const ranked = known.filter((row) => row.previous > 0);
  const gain = (row) => row.previous - row.rank;
  const climbers = ranked.filter((row) => gain(row) > 0).sort((a, b) => gain(b) - gain(a) || a.rank - b.rank);
  const fallers = ranked.filter((row) => gain(row) < 0).sort((a, b) => gain(a) - gain(b) || a.rank - b.rank);
  const fresh = known.filter((row) => row.previous === 0);
  const list = (title, count, rows, words) => make('div', {}, make('h3', {}, `${title} ${number(count)}`),
    rows.length === 0 ? make('p', { class: 'quiet' }, 'none') : make('ol', {}, rows.slice(0, MOVERS).map(words)));
  const mover = (row) => moverLine(row, change(row), `#${number(row.rank)}`);
  const gone = (row) => moverLine(row, make('span', { class: 'change' }, 'out'), `was ${number(row.rank)}`);
  card.append(make('div', { class: 'movers' },
    list('Rising', climbers.length, climbers, mover), list('Falling', fallers.length, fallers, mover),
    list('New', fresh.length, fresh, mover), list('Dropped', data.dropped_count, data.dropped, gone)));
  return card;
}

function moverLine(row, sign, at) {
  const called = row.name ?? row.id;
  const link = make('a', { class: 'label', href: linkToItem(row.id), title: brief(called) }, name(called));
  return make('li', {}, sign, link, make('span', { class: 'at' }, at));
}

const SCORE = facts.half_life_hours === null ? `By ${facts.by}` : `By ${facts.by}, weighted by age`;
/** Every column of a ranking: its heading, its class, the cell of a row and that of a line of sums. */
const COLUMNS = [
  { title: 'Rank', kind: 'rank', hint: SCORE, of: (row) => number(row.rank) },
  { title: 'Change', kind: 'change', of: change },
  { title: 'Item', kind: 'item', of: itemWords, ofSum: (sum) => sum.what },
  { title: measureName(), kind: 'measured right', isThere: facts.by !== 'units', of: (row) => measure(row.measured), ofSum: (sum) => measure(sum.figures[facts.by]) },
  { title: 'Units', kind: 'units right', of: (row) => number(row.units), ofSum: (sum) => number(sum.figures.units) },
  { title: 'Extended', kind: 'extended right', hint: 'In the extended window, by which the items are ordered', of: (row) => (row.extended === null ? null : measure(row.extended)), ofSum: (sum) => (sum.extended === null ? null : measure(sum.extended)) },
  { title: 'Share', kind: 'share right', of: shareWords, ofSum: (sum) => (sum.share === null ? '–' : percent(sum.share)) },
  { title: 'Last 7 days', kind: 'week', isThere: facts.days !== null, of: (row) => sparkline(row.days) },
  { title: 'Weeks', kind: 'weeks right', hint: 'Weeks in this ranking, including this one', of: (row) => number(row.weeks) },
].filter(({ isThere }) => isThere !== false);

/** Returns the columns of rows of which some or none are of an extended window. */
function columnsOf(rows) {
  return COLUMNS.filter(({ title }) => title !== 'Extended' || rows.some((row) => row.extended !== null));
}

function measureName() {
  return facts.by === 'amount' ? 'Amount' : 'Purchases';
}

function itemWords(row) {
  return [make('a', { href: linkToItem(row.id) }, name(row.name ?? row.id)), row.name === null ? null : name(row.id, { class: 'id' })];
}

/** Returns a share, drawn beside the largest of the list. */
function shareWords({ share, most }) {
  return share === null ? '–' : [percent(share), most > 0 ? meter(share / most) : null];
}

function head(columns) {
  return make('tr', {}, columns.map(({ title, kind, hint }) => make('th', { scope: 'col', class: kind, title: hint }, title)));
}

function line(columns, row, attributes) {
  return make('tr', attributes, columns.map(({ kind, of }) => make('td', { class: kind }, of(row))));
}

/** Returns the ranking itself. */
function best(category, data, marked) {
  const { rows } = data;
  const columns = columnsOf(rows);
  const most = rows.reduce((most, { share }) => Math.max(most, share ?? 0), 0);
  const body = make('tbody');
  const said = [`${facts.title}: `, name(category.words), `, as of ${moment(facts.as_of)}`];
  const sheet = make('section', { class: 'sheet', 'aria-label': 'Best sellers' }, make('table', { class: 'ranking' },
    make('thead', {}, make('tr', { class: 'print-only' }, make('th', { colspan: columns.length }, said)), head(columns)),
    body, foot(columns, data)));
  const left = () => rows.length - body.childElementCount;
  const add = (count) => {
    const from = body.childElementCount;
    body.append(...rows.slice(from, from + count).map((row) => line(columns, { ...row, most }, { class: row.id === marked ? 'marked' : null })));
  };
  add(Math.max(FIRST_ROWS, rows.findIndex((row) => row.id === marked) + 1));
  if (left() > 0) {
    const button = make('button', { type: 'button', class: 'plain' });
    const bar = make('p', { class: 'more' }, button);
    const say = () => { button.textContent = `Show ${number(Math.min(MORE_ROWS, left()))} more of ${number(left())}`; };
    button.addEventListener('click', () => { add(MORE_ROWS); if (left() > 0) say(); else bar.remove(); });
    say();
    sheet.append(bar);
  }
  return sheet;
}

/** Returns what the listed items leave, and the whole. */
function foot(columns, data) {
  if (data.whole === null) return null;
  const others = BigInt(data.eligible_items) - BigInt(data.rows.length);
  // Items that are not eligible, such as those of which more came back than was sold, are others too.
  const hasMore = others > 0n || Number(data.others.units) !== 0 || Number(data.others.purchases) !== 0;
  const [whole, rest] = data.extended ?? [null, null];
  const sums = [
    hasMore ? { what: others > 0n ? `All ${number(String(others))} others` : 'All others', figures: data.others, share: data.others_share, extended: rest } : null,
    { what: 'All', figures: data.whole, share: data.others_share === null ? null : 10000, extended: whole },
  ];
  const summed = columns.map(({ kind, ofSum }) => ({ kind, of: ofSum ?? (() => null) }));
  return make('tfoot', {}, sums.filter(Boolean).map((sum) => line(summed, sum)));
}

/** Draws everywhere an item ranks. */
async function showItem(id) {
  await index();
  const places = await Promise.all(placesOf(id).map(async (place) => {
    const { rows } = await categoryAt(place.category.number);
    return { ...place, row: rows[place.rank - 1] };
  }));
  if (places.length === 0) return nothing(`Item ${visible(id)} is not ranked.`);
  const [{ row }] = places;
  const columns = columnsOf(places.map((place) => place.row)).map((column) => (column.title === 'Item' ? { ...column, title: 'Category', of: placeWords } : column));
  const lines = places.map((place) => line(columns, { ...place.row, category: place.category }));
  return [
    trail(null),
    make('h1', { tabindex: '-1' }, make('bdi', { dir: 'auto' }, visible(row.name ?? id))),
    row.name === null ? null : make('p', { class: 'quiet' }, 'Item ', make('bdi', { dir: 'auto' }, visible(id))),
    facts.days && make('section', { class: 'card' }, make('h2', {}, 'Units by day'), chart(row.days)),
    make('section', { class: 'sheet', 'aria-label': 'Ranks' }, make('table', { class: 'ranking' },
      make('thead', {}, head(columns)), make('tbody', {}, lines))),
  ].filter(Boolean);
}

function placeWords({ id, category }) {
  return make('a', { href: `${linkTo(category.path)}?${encodeURIComponent(id)}` }, name(category.words));
}

function nothing(text) {
  return [heading('Not found'), make('p', {}, name(text)), make('p', {}, make('a', { href: linkTo(null) }, 'Show the whole shop'))];
}
