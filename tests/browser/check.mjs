// Looks at the pages in a browser as a person would, and says what is wrong with them.
// Usage: check.mjs FOLDER_OF_PAGES FOLDER_FOR_PICTURES

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { chromium } from 'playwright-core';

const [folder, pictures] = process.argv.slice(2).map((path) => resolve(path));
const BROWSER = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-lcd-text', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const OPENS_WITHIN_MS = 2_000;
const FINDS_WITHIN_MS = 20_000;
const PHONE = { width: 360, height: 740 };
const DESK = { width: 1080, height: 660 };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const wrong = [];
let checks = 0;

function check(is, what) {
  checks += 1;
  if (!is) {
    wrong.push(what);
    console.log(`WRONG: ${what}`);
  }
}

function equal(got, expected, what) {
  check(JSON.stringify(got) === JSON.stringify(expected), `${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`);
}

const profile = mkdtempSync(join(tmpdir(), 'browser-'));
const context = await chromium.launchPersistentContext(profile, { executablePath: BROWSER, args: FLAGS, viewport: DESK });
mkdirSync(pictures, { recursive: true });

/** Opens a page, listens to all it says and asks for, and waits until it shows something. */
async function opened(name, hash = '', { viewport = DESK, colorScheme = 'light' } = {}) {
  const page = await context.newPage();
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme });
  const address = pathToFileURL(join(folder, `${name}.html`)).href;
  page.on('console', (message) => check(false, `${name}${hash}: the console says ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => check(false, `${name}${hash}: ${error.stack}`));
  page.on('dialog', (dialog) => { check(false, `${name}${hash}: a dialog says ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => check(request.url().split('#')[0] === address || request.url().startsWith('data:'), `${name}${hash}: it asks for ${request.url().slice(0, 200)}`));
  await page.goto(address + hash);
  await shown(page);
  return page;
}

async function shown(page) {
  await page.waitForFunction(() => document.getElementById('main').getAttribute('aria-busy') === 'false' && document.querySelector('h1'));
}

/** Waits until the page shows something of that name. */
async function heading(page, text) {
  await page.waitForFunction((wanted) => document.querySelector('h1')?.textContent === wanted, text, { timeout: 5_000 }).catch(() => {});
  equal(await page.textContent('h1'), text, 'heading');
}

/** Returns how long a page took from the first request to its first category. */
async function openingMs(name) {
  const page = await opened(name);
  const ms = await page.evaluate(() => performance.getEntriesByName('opened')[0].startTime);
  await page.close();
  return ms;
}

/** Returns the category that the tree's keys are at, and the level below it that shows. */
function atNode(page) {
  return page.evaluate(() => {
    const node = document.getElementById(document.getElementById('tree').getAttribute('aria-activedescendant'));
    return [node.querySelector('.name').textContent, Number(node.getAttribute('aria-level')), node.getAttribute('aria-expanded')];
  });
}

async function press(page, ...keys) {
  for (const key of keys) await page.keyboard.press(key);
}

/** Types into the search box and returns how long the answer took. */
async function search(page, text) {
  await page.evaluate(() => { delete document.getElementById('found').dataset.answers; });
  const started = performance.now();
  await press(page, '/');
  await page.keyboard.type(text);
  await page.waitForFunction((typed) => document.getElementById('found').dataset.answers === typed, text, { timeout: FINDS_WITHIN_MS });
  return performance.now() - started;
}

function options(page) {
  return page.$$eval('[role=option]', (all) => all.map((one) => one.textContent));
}

/** Checks that a list's shares, and that of all others, are exactly the whole. */
async function sharesAreWhole(page, what) {
  const sum = await page.evaluate(() => {
    const rows = [...document.querySelectorAll('.ranking tbody td.share, .ranking tfoot tr:not(:last-child) td.share')];
    return rows.map((cell) => Math.round(parseFloat(cell.textContent) * 100)).reduce((a, b) => a + b, 0);
  });
  equal(sum, 10_000, `${what}: shares in hundredths of a percent`);
}

function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    // Links that end in an ellipsis are longer inside.
    const seen = (element) => !element.closest('.unseen, .tree, thead, .label, .below a') && element.getClientRects().length > 0;
    const wide = [...document.querySelectorAll('body *')].filter((element) => seen(element) && element.getBoundingClientRect().right > width + 1);
    return { scrolls: document.documentElement.scrollWidth > width, wide: wide.slice(0, 3).map((element) => `${element.tagName}.${element.getAttribute('class')}`) };
  });
}

/** Returns how far a colour is from black, as contrast has it. */
function luminance(colour) {
  const [r, g, b] = colour.match(/\d+/g).map((part) => part / 255).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function ground(page) {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor).then(luminance);
}

/** Has a program that knows the rules of accessible pages look for what breaks them. */
async function accessible(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
  for (const { id, help, nodes } of found.violations) check(false, `${what}: ${id}: ${help}: ${nodes[0].html.slice(0, 200)}`);
  checks += found.passes.length;
}

async function checkTree() {
  const page = await opened('sample');
  for (let tabs = 0; tabs < 8 && await page.evaluate(() => document.activeElement.id) !== 'tree'; tabs += 1) await press(page, 'Tab');
  equal(await page.evaluate(() => document.activeElement.id), 'tree', 'Tab reaches the tree');
  equal(await atNode(page), ['Whole shop', 1, null], 'tree');
  await page.keyboard.type('groc');
  equal(await atNode(page), ['GROCERY', 1, 'false'], 'type-ahead');
  await press(page, 'ArrowRight');
  equal(await atNode(page), ['GROCERY', 1, 'true'], 'right opens');
  await press(page, 'ArrowRight');
  equal((await atNode(page))[1], 2, 'right again goes down');
  await press(page, 'ArrowLeft');
  equal(await atNode(page), ['GROCERY', 1, 'true'], 'left goes up');
  await press(page, 'ArrowRight', 'ArrowDown', 'Enter');
  await heading(page, 'BAG SNACKS');
  equal(await page.evaluate(() => decodeURIComponent(location.hash)), '#/GROCERY/BAG SNACKS', 'address');
  equal(await page.$$eval('.trail a', (all) => all.map((one) => one.textContent)), ['Whole shop', 'GROCERY'], 'trail');
  await press(page, 'End');
  equal((await atNode(page))[0], 'TRAVEL & LEISURE', 'End');
  await press(page, 'Home');
  equal((await atNode(page))[0], 'Whole shop', 'Home');
  await press(page, 'ArrowDown', 'Enter');
  await heading(page, 'AUTOMOTIVE');
  await page.goBack();
  await heading(page, 'BAG SNACKS');
  await page.goForward();
  await heading(page, 'AUTOMOTIVE');
  await page.close();
}

async function checkSearch() {
  const page = await opened('sample');
  await search(page, 'cream chee');
  const found = await options(page);
  equal(found[0], 'GROCERY › CHEESE › CREAM CHEESE', 'the category comes first');
  check(found.some((text) => /^CREAM CHEESE.*#1 in GROCERY › CHEESE › CREAM CHEESE, #\d+ in GROCERY/.test(text)), `an item says where it ranks: ${found[2]}`);
  await press(page, 'ArrowDown', 'ArrowUp', 'Enter');
  await heading(page, 'CREAM CHEESE');
  await search(page, '6534178');
  await press(page, 'Enter');
  await heading(page, 'GASOLINE-REG UNLEADED  (Private)');
  equal((await page.$$eval('.ranking td.item', (all) => all.map((one) => one.textContent)))[0], 'Whole shop', 'the item ranks in the shop');
  await page.click('.ranking td.item a');
  await heading(page, 'Whole shop');
  check(await page.isVisible('tr.marked'), 'the item is marked in its list');
  // Whoever types fast and presses Enter at once gets the answer to all that was typed.
  await press(page, '/');
  await page.keyboard.type('grated chee');
  await press(page, 'Enter');
  await heading(page, 'GRATED CHEESE');
  await search(page, 'no such thing');
  equal([await page.textContent('#status'), (await options(page)).length], ['Nothing found.', 0], 'nothing');
  await press(page, 'Escape');
  check(await page.isHidden('#results'), 'Escape closes');
  await page.close();
}

async function checkContent() {
  const page = await opened('sample', '#/GROCERY/CHEESE');
  equal(await page.$$eval('.ranking tbody tr', (all) => all.length), 100, 'rows');
  equal(await page.$$eval('.spark', (all) => all.length), 100, 'sparklines');
  equal(await page.$$eval('.chart rect', (all) => all.length), 7, 'days of the chart');
  await sharesAreWhole(page, 'CHEESE');
  const signs = await page.$$eval('.ranking td.change', (all) => all.map((one) => one.textContent[0]));
  for (const sign of ['▲', '▼', '=', 'n']) check(signs.includes(sign), `some row's change is ${sign}`);
  equal(await page.$$eval('.movers h3', (all) => all.map((one) => one.textContent.replace(/ \d+$/, ''))), ['Rising', 'Falling', 'New', 'Dropped'], 'movers');
  await accessible(page, 'CHEESE');
  await page.screenshot({ path: join(pictures, 'report-light.png') });
  const file = await page.pdf({ preferCSSPageSize: true });
  check(file.subarray(0, 5).toString() === '%PDF-' && file.length > 20_000, `a PDF of ${file.length} bytes`);
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  check(await page.isHidden('#tree') && await page.isHidden('#search') && await page.isVisible('.print-only'), 'print shows the category alone');
  check(await ground(page) > 0.99, 'print is on white');
  await page.close();
  const unknown = await opened('sample', '#/No/such%20place');
  await heading(unknown, 'Not found');
  await unknown.close();
}

async function checkThemes() {
  const page = await opened('sample', '', { colorScheme: 'dark' });
  check(await ground(page) < 0.05, 'dark where the machine is');
  await accessible(page, 'dark');
  await page.screenshot({ path: join(pictures, 'report-dark.png') });
  await page.click('#theme');
  check(await ground(page) > 0.8, 'light when asked to');
  await page.reload();
  await shown(page);
  check(await ground(page) > 0.8, 'light is remembered');
  await page.click('#theme');
  check(await ground(page) < 0.05, 'dark when asked to');
  await page.click('#theme');
  await page.emulateMedia({ colorScheme: 'light' });
  check(await ground(page) > 0.8, 'light where the machine is');
  await page.close();
}

async function checkPhone() {
  for (const [name, hash] of [['sample', ''], ['sample', '#/GROCERY/CHEESE'], ['sample', '#item/859075'], ['strange', ''], ['large', '']]) {
    const page = await opened(name, hash, { viewport: PHONE });
    equal(await overflow(page), { scrolls: false, wide: [] }, `${name}${hash} on a phone`);
    if (hash === '#/GROCERY/CHEESE') {
      await page.evaluate(() => document.querySelector('.ranking').scrollIntoView());
      await page.screenshot({ path: join(pictures, 'report-phone.png') });
      await page.click('#menu');
      check(await page.isVisible('#tree'), 'the button opens the tree');
      await press(page, 'Home', 'Enter');
      await heading(page, 'Whole shop');
      check(await page.isHidden('#tree'), 'a choice closes it');
    }
    await page.close();
  }
}

/** Returns a name as the page spells it. */
function spelled(text) {
  if (text.trim() === '') return `(blank: ${text.length})`;
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

/** Walks through every list of names that are meant to break the page. */
async function checkStrange() {
  const log = readFileSync(join(folder, 'strange.ndjson'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const items = [...new Set(log.map((line) => line.item_id))];
  const page = await opened('strange');
  await sharesAreWhole(page, 'strange');
  const texts = (await page.$$eval('.ranking td.item a', (all) => all.map((one) => one.textContent))).sort();
  const expected = items.map(spelled).map((text) => (text.length > 160 ? `${text.slice(0, 160)}…` : text)).sort();
  equal(texts, expected, 'names are text');
  const units = await page.$$eval('.ranking tbody td.units', (all) => all.map((one) => one.textContent));
  check(units.includes('900,000,000,000,000.5'), `large numbers are exact: ${units}`);
  const links = await page.evaluate(() => [...document.querySelectorAll('.below a')].map((link) => link.getAttribute('href')));
  for (const hash of [...links, ...items.map((item) => `#item/${encodeURIComponent(item)}`)]) {
    await page.evaluate((to) => { location.hash = to; }, hash);
    await page.waitForFunction((to) => document.getElementById('main').getAttribute('aria-busy') === 'false' && location.hash === to, hash);
    check(await page.textContent('h1') !== 'Not found', `${hash.slice(0, 60)} is there`);
    if (hash.startsWith('#/')) await sharesAreWhole(page, hash.slice(0, 60));
  }
  for (const item of items.filter((text) => text.length < 100 && text.trim() === text && !/[\n\t]/.test(text))) {
    await search(page, item.replace(/^\/+/, ''));
    check((await options(page)).some((text) => text.startsWith(spelled(item))), `${item} is found`);
    await press(page, 'Escape');
  }
  check(await page.evaluate(() => window.ran === undefined), 'no name ran as a script');
  equal(await page.$$eval('main img, main script, main b', (all) => all.length), 0, 'no name became an element');
  await accessible(page, 'strange');
  await page.close();
}

async function checkLarge() {
  const times = [];
  for (let run = 0; run < 3; run += 1) times.push(Math.round(await openingMs('large')));
  times.sort((a, b) => a - b);
  console.log(`large.html opened in ${times.join(', ')} ms`);
  check(times[1] <= OPENS_WITHIN_MS, `10,000 categories of 100 items open within ${OPENS_WITHIN_MS} ms: ${times}`);
  const page = await opened('large');
  const categories = await page.evaluate(() => JSON.parse(document.getElementById('facts').textContent).items);
  check(categories.length >= 10_000 && categories.every((items) => items === 100), `${categories.length} categories`);
  const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
  check(nodes < 8_000, `${nodes} elements`);
  await page.focus('#tree');
  await press(page, 'End', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'Enter');
  await heading(page, 'Shelf 01');
  await sharesAreWhole(page, 'large');
  const id = (await page.textContent('.ranking tbody tr:last-child td.item a')).trim();
  console.log(`first search took ${Math.round(await search(page, id))} ms`);
  check((await options(page))[0].startsWith(`${id}#`), 'an item is found by its id');
  await press(page, 'Escape');
  console.log(`next search took ${Math.round(await search(page, 'a1'))} ms`);
  const heap = await page.evaluate(() => performance.memory.usedJSHeapSize);
  console.log(`${Math.round(heap / 2 ** 20)} MiB of memory in the page's script`);
  check(heap < 400 * 2 ** 20, `${heap} bytes of memory`);
  await page.close();
}

try {
  for (const part of [checkTree, checkSearch, checkContent, checkThemes, checkPhone, checkStrange, checkLarge]) {
    await part().catch((error) => check(false, `${part.name}: ${error.stack}`));
  }
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(wrong.length === 0 ? `${checks} checks, all is well` : `${wrong.length} of ${checks} checks failed`);
process.exit(wrong.length === 0 ? 0 : 1);
