// How figures and names are written, and how elements are made of them: text is always text.

const grouped = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 4 });
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const SHOWN_CHARS = 160;

/** Makes an element; what is no element among the children becomes text. */
function make(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Makes a part of a drawing. */
function draw(name, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Returns a number with its thousands parted; those with more digits than a number keeps come as text. */
function number(value) {
  if (typeof value !== 'string') return grouped.format(value);
  const [whole, fraction] = value.split('.');
  const sign = whole.startsWith('-') ? '-' : '';
  return `${sign}${grouped.format(BigInt(whole.replace('-', '')))}${fraction ? `.${fraction}` : ''}`;
}

/** Returns a number in few characters. */
function rough(value) {
  return short.format(Number(value));
}

/** Returns a decimal with its thousands parted, to cents where it has no smaller part. */
function money(text) {
  const [whole, fraction = ''] = text.split('.');
  const sign = whole.startsWith('-') ? '-' : '';
  const cents = fraction.replace(/0{1,2}$/, '');
  return `${sign}${number(whole.replace('-', ''))}${cents ? `.${cents}` : ''}`;
}

/** Returns hundredths of a percent as a percentage. */
function percent(hundredths) {
  return `${(hundredths / 100).toFixed(2)}\u00a0%`;
}

/** Returns what the ranking goes by, of a row. */
function measure(value) {
  return facts.by === 'amount' ? money(value) : number(value);
}

/** Returns a category's level without its escapes. */
function spelled(level) {
  const signs = { '%25': '%', '%2F': '/', '%7C': '|' };
  return visible(level.replace(/%25|%2F|%7C/g, (escape) => signs[escape]));
}

/** Returns a text in which what cannot be seen, or turns round what stands beside it, is spelled out. */
function visible(text) {
  if (text.trim() === '') return `(blank: ${text.length})`;
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

/** Returns the beginning of a text that is too long to read. */
function brief(text) {
  const shown = visible(text);
  return shown.length > SHOWN_CHARS ? `${[...shown.slice(0, SHOWN_CHARS + 1)].slice(0, -1).join('')}…` : shown;
}

/** Returns a name from outside, whichever way it is written, kept apart from what surrounds it. */
function name(text, attributes) {
  const shown = brief(text);
  return make('bdi', { dir: 'auto', title: shown === text ? null : visible(text), ...attributes }, shown);
}

/** Returns a moment as people write it; it comes as local time and zone. */
function moment([local, zone]) {
  const [date, time] = local.split('T');
  return `${day(date)} ${date.slice(0, 4)}, ${time} ${zone}`;
}

/** Returns a date without its year. */
function day(date) {
  const [year, month, of] = date.split('-').map(Number);
  return `${DAYS[new Date(Date.UTC(year, month - 1, of)).getUTCDay()]} ${of} ${MONTHS[month - 1]}`;
}

/** Returns a length of time in its largest fitting unit. */
function span(hours) {
  if (hours < 1) return 'less than an hour';
  const [count, unit] = hours >= 48 ? [Math.floor(hours / 24), 'day'] : [Math.floor(hours), 'hour'];
  return `${number(count)} ${unit}${count === 1 ? '' : 's'}`;
}

/** Returns so many hours, as days where they are some. */
function hours(count) {
  return count >= 48 && count % 24 === 0 ? counted(count / 24, 'day') : counted(count, 'hour');
}

/** Returns a count with its noun. */
function counted(count, noun, nouns = `${noun}s`) {
  return `${number(count)} ${count === 1 ? noun : nouns}`;
}

/** Returns where a category's page is. */
function linkTo(path) {
  return `#/${path === null ? '' : path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Returns where an item's page is. */
function linkToItem(id) {
  return `#item/${encodeURIComponent(id)}`;
}
