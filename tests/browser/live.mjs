// Looks at the live page of a server as a person would, while events come in, while the server is away, and with
// tokens. Usage: live.mjs TOPSELL FOLDER FOLDER_FOR_PICTURES

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { chromium } from 'playwright-core';

const [program, ...folders] = process.argv.slice(2);
const [folder, pictures] = folders.map((path) => resolve(path));
const BROWSER = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-lcd-text', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const PHONE = { width: 360, height: 740 };
const DESK = { width: 1120, height: 780 };
const WITHIN_MS = 15_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const READ = 'read-token-of-the-test';
const WRITE = 'write-token-of-the-test';
const NASTY = '<img src=x onerror="window.ran = 1">';

/** The other pictures are beside the lakes. */
const OF_THE_DOCUMENTATION = ['light'];

const wrong = [];
let checks = 0;
const servers = new Set();
let sent = 0;

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

/** Starts a server of a lake, and returns it once it is ready. */
async function start(lake, words = [], port = 0) {
  const [command, ...before] = program.split(' ');
  const child = spawn(command, [...before, '--lake', join(folder, lake), 'serve', '--listen', `127.0.0.1:${port}`, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  servers.add(child);
  let said = '';
  const address = await new Promise((done, failed) => {
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      const found = said.match(/listening on (http:\S+)[^]*ready/);
      if (found) done(found[1]);
    });
    child.on('exit', () => failed(new Error(`the server ended: ${said}`)));
  });
  const stop = () => new Promise((done) => { child.on('exit', done); servers.delete(child); child.kill('SIGTERM'); });
  return { address, stop };
}

/** Waits until all events of a server are in the lake. */
async function committed(address) {
  for (const ends = Date.now() + WITHIN_MS; Date.now() < ends;) {
    const status = await (await fetch(`${address}/v1/status`)).json();
    if (status.uncommitted_events === 0) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('the events do not come to the lake');
}

/** Publishes a ranking of a lake, of which the page has its categories. */
function publish(lake) {
  const [command, ...before] = program.split(' ');
  execFileSync(command, [...before, '--quiet', '--lake', join(folder, lake), 'rank', '--min-items', '0']);
}

async function post(address, events, token) {
  const headers = { 'Content-Type': 'application/x-ndjson', ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const body = events.map((event) => `${JSON.stringify(event)}\n`).join('');
  const answer = await fetch(`${address}/v1/events`, { method: 'POST', headers, body });
  sent += events.length;
  check(answer.status === 200, `events are taken in: ${answer.status} ${await answer.text()}`);
}

/** Returns an event so many hours ago. */
function sale(item, quantity, hours = 0, more = {}) {
  return { ts: Date.now() - hours * 3_600_000, item_id: item, quantity, amount: (quantity * 2.5).toFixed(2), ...more };
}

/** Returns a day of sales: items of two categories, some hours stronger than others. */
function day() {
  const items = [['hammer', 'Tools/Hand tools'], ['saw', 'Tools/Hand tools'], ['drill', 'Tools/Power tools'], ['tulip', 'Garden/Bulbs'], ['spade', 'Garden/Tools'],
    ['rake', 'Garden/Tools'], ['hose', 'Garden/Water'], ['nails 3 × 40 mm, galvanised, box of 250', 'Tools/Hand tools']];
  return items.flatMap(([item, category], at) => Array.from({ length: 23 }, (_, hours) => sale(item, Math.max(1, Math.round((40 - 3 * at) * (1 + Math.sin((hours + at) / 3)) / 4)), hours, { category })));
}

const profile = mkdtempSync(join(tmpdir(), 'browser-'));
const context = await chromium.launchPersistentContext(profile, { executablePath: BROWSER, args: FLAGS, viewport: DESK, locale: 'en-GB', timezoneId: 'Europe/Berlin' });
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
mkdirSync(pictures, { recursive: true });

/** Opens a page, and listens to all it says and asks for. */
async function opened(address, { hash = '', viewport = DESK, colorScheme = 'light', mayFail = false } = {}) {
  const page = await context.newPage();
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme });
  page.mayFail = mayFail;
  page.on('console', (message) => check(page.mayFail && /Failed to load resource/.test(message.text()), `the console says ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => check(false, error.stack));
  page.on('dialog', (dialog) => { check(false, `a dialog says ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => check(request.url().startsWith(`${address}/`) || request.url() === 'data:,', `it asks for ${request.url().slice(0, 200)}`));
  await page.goto(`${address}/${hash}`);
  return page;
}

async function until(page, what, test, argument) {
  await page.waitForFunction(test, argument, { timeout: WITHIN_MS }).catch(() => check(false, `within ${WITHIN_MS} ms ${what}`));
}

function live(page) {
  return until(page, 'it is live', () => document.body.dataset.state === 'live' && document.querySelectorAll('#list li').length > 0);
}

function names(page) {
  return page.$$eval('#list .name', (all) => all.map((one) => one.textContent));
}

function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll('body *')].filter((one) => !one.closest('.unseen') && one.getClientRects().length > 0 && one.getBoundingClientRect().right > width + 1);
    return { scrolls: document.documentElement.scrollWidth > width, wide: wide.slice(0, 3).map((one) => `${one.tagName}#${one.id}.${one.getAttribute('class')}`) };
  });
}

async function accessible(page, what) {
  // The policy of the page permits no other script; a debugger may run one all the same.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
  for (const { id, help, nodes } of found.violations) check(false, `${what}: ${id}: ${help}: ${nodes[0].html.slice(0, 200)}`);
  checks += found.passes.length;
}

async function checkPolicy({ address }) {
  const answer = await fetch(`${address}/`);
  const policy = answer.headers.get('content-security-policy');
  check(policy.startsWith("default-src 'none'; script-src 'sha256-") && !policy.includes('unsafe'), policy);
  check(policy.includes("connect-src 'self'") && policy.includes("frame-ancestors 'none'"), policy);
  const page = await context.newPage();
  await page.goto(`${address}/`);
  await live(page);
  const escaped = await page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'window.ran = 1';
    document.head.append(script);
    const asked = await fetch('http://127.0.0.1:9/', { mode: 'no-cors' }).then(() => true, (error) => /Failed to fetch/.test(error.message) ? 'refused' : String(error));
    return [window.ran ?? 'no script ran', asked];
  });
  equal(escaped, ['no script ran', 'refused'], 'the policy is kept');
  await page.close();
}

async function checkList({ address }) {
  await post(address, [sale(NASTY, 5, 0, { category: 'Garden' }), sale('مطرقة', 4, 0, { category: 'Tools' })]);
  const page = await opened(address);
  await live(page);
  const first = await names(page);
  equal(first.length, 10, 'items');
  check(first.includes(NASTY), `names are text: ${first}`);
  check(await page.evaluate(() => window.ran === undefined), 'no name ran as a script');
  const rake = first.indexOf('rake');
  check(rake > 0, 'there is something to overtake');
  await post(address, [sale('rake', 2_000, 0, { category: 'Garden/Tools' })]);
  await until(page, 'the list re-orders', () => document.querySelector('#list .name').textContent === 'rake');
  equal(await page.$eval('#list .moved', (one) => [one.textContent, one.classList.contains('up')]), [`▲ ${rake}`, true], 'the row says how far it went');
  await until(page, 'events are counted', (sent) => document.querySelector('#accepted').textContent === `${sent} since the start`, sent);
  // Chosen by keyboard alone.
  for (let tabs = 0; tabs < 8 && await page.evaluate(() => !document.activeElement.closest('#list')); tabs += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  const chosen = await page.evaluate(() => document.activeElement.querySelector('.name').textContent);
  await page.keyboard.press('Enter');
  await until(page, 'the item shows', (item) => document.querySelector('#item-title').textContent === `${item}, last 24 hours` && document.querySelectorAll('#bars i').length === 24, chosen);
  const at = () => page.evaluate(() => [document.querySelector('#units').textContent.replaceAll(',', ''), document.querySelector('#bars div:last-child').title.match(/: ([\d,]+) units, so far$/)[1].replaceAll(',', '')].map(Number));
  const [units, last] = await at();
  await post(address, [sale(chosen, 3, 0)]);
  await until(page, 'the count grows', (wanted) => Number(document.querySelector('#units').textContent.replaceAll(',', '')) === wanted, units + 3);
  equal((await at())[1], last + 3, 'the last bar grows');
  check(await page.$eval('#bars div:last-child i', (bar) => bar.getBoundingClientRect().height > 1), 'and is seen');
  await page.focus('#category');
  await until(page, 'there are categories to choose from', () => [...document.querySelectorAll('#categories option')].some((one) => one.value === 'Garden/Tools'));
  await page.fill('#category', 'Tools');
  await page.keyboard.press('Enter');
  await until(page, 'the category shows', () => document.querySelector('#top-title').textContent.startsWith('Top of Tools') && document.querySelectorAll('#list li').length === 5);
  await page.fill('#type', 'view');
  await page.keyboard.press('Enter');
  await until(page, 'another event type shows', () => document.querySelector('#list-under').textContent.startsWith('Nothing of view in Tools'));
  equal(await page.evaluate(() => location.hash), `#${new URLSearchParams({ category: 'Tools', type: 'view', item: chosen })}`, 'address');
  await page.fill('#type', '');
  await page.selectOption('#measure', 'amount');
  await until(page, 'the list is ordered by amount', () => document.querySelectorAll('#list li').length === 5);
  await page.reload();
  await live(page);
  equal(await page.evaluate(() => [document.querySelector('#category').value, document.querySelector('#measure').value, document.querySelector('#item').value]), ['Tools', 'amount', chosen], 'what was chosen is kept in the address');
  await page.close();
}

async function checkTags({ address }) {
  const page = await opened(address, { hash: '#item=saw' });
  const statuses = { '/v1/count': [], '/v1/top': [] };
  page.on('response', (response) => statuses[new URL(response.url()).pathname]?.push(response.status()));
  await live(page);
  await page.waitForTimeout(7_000);
  for (const [path, seen] of Object.entries(statuses)) {
    check(seen.length >= 2 && seen.slice(1).every((status) => status === 304), `${path} is asked for by its tag: ${seen}`);
  }
  await page.close();
}

async function checkRate({ address }) {
  const page = await opened(address);
  await live(page);
  const started = Date.now();
  const before = sent;
  while (Date.now() - started < 8_000) {
    await post(address, Array.from({ length: 50 }, () => sale(['hammer', 'saw', 'drill'][sent % 3], 1, 0, { category: 'Tools' })));
    await new Promise((done) => setTimeout(done, 100));
  }
  const sentRate = (sent - before) * 1000 / (Date.now() - started);
  const shown = Number((await page.textContent('#rate')).replaceAll(',', ''));
  check(shown > sentRate / 2 && shown < sentRate * 2, `${shown} events a second are shown, ${sentRate.toFixed(0)} were sent`);
  await page.close();
}

async function checkThemes({ address }) {
  for (const [name, colorScheme, viewport] of [['light', 'light', DESK], ['dark', 'dark', DESK], ['phone', 'light', PHONE], ['phone-dark', 'dark', PHONE]]) {
    const page = await opened(address, { hash: '#item=hammer', colorScheme, viewport });
    await live(page);
    await until(page, 'the bars show', () => document.querySelectorAll('#bars i').length === 24);
    for (let round = 0; round < 4; round += 1) {
      await post(address, [sale('hammer', 2, 0, { category: 'Tools/Hand tools' }), sale('drill', 3, 0, { category: 'Tools/Power tools' })]);
      await page.waitForTimeout(1_000);
    }
    await page.waitForTimeout(700);
    equal(await overflow(page), { scrolls: false, wide: [] }, name);
    await accessible(page, name);
    await page.screenshot({ path: join(OF_THE_DOCUMENTATION.includes(name) ? pictures : folder, `live-${name}.png`), fullPage: viewport === PHONE });
    await page.close();
  }
}

async function checkAway(server) {
  const page = await opened(server.address, { hash: '#item=hammer', mayFail: true });
  await live(page);
  await server.stop();
  await until(page, 'it says that the server does not answer', () => document.body.dataset.state === 'lost');
  check(/^The server has not answered since \d\d:\d\d:\d\d, \d+ s ago; the numbers below are from then\.$/.test(await page.textContent('#what')), await page.textContent('#what'));
  check((await names(page)).length > 0, 'the list of then still shows');
  const before = await page.textContent('#what');
  await until(page, 'the age grows', (text) => document.querySelector('#what').textContent !== text, before);
  await accessible(page, 'away');
  await page.screenshot({ path: join(folder, 'live-away.png') });
  const again = await start('live', [], new URL(server.address).port);
  await live(page);
  check(await page.isHidden('#notice'), 'it goes on by itself');
  await page.close();
  await again.stop();
}

async function checkTokens() {
  writeFileSync(join(folder, 'tokens.txt'), `read ${READ}\nwrite ${WRITE}\n`);
  const server = await start('tokens', ['--token-file', join(folder, 'tokens.txt')]);
  await post(server.address, [sale('hammer', 1)], WRITE);
  const page = await opened(server.address, { mayFail: true });
  await until(page, 'it asks for a token', () => document.querySelector('#ask').open);
  await accessible(page, 'dialog');
  await page.screenshot({ path: join(folder, 'live-token.png') });
  await page.keyboard.type('not the right token');
  await page.keyboard.press('Enter');
  await until(page, 'it says that the token is wrong', () => document.querySelector('#ask').open && document.querySelector('#ask-why').textContent.includes('does not accept'));
  await page.keyboard.press('Escape');
  await page.click('#enter');
  await page.keyboard.type(READ);
  await page.keyboard.press('Enter');
  await live(page);
  equal(await names(page), ['hammer'], 'the list');
  equal(await page.evaluate(() => [{ ...sessionStorage }, { ...localStorage }]), [{ 'topsell-token': READ }, {}], 'the token is kept for the tab alone');
  page.mayFail = false;
  await page.reload();
  await live(page);
  check(await page.isHidden('#ask'), 'and is not asked for again');
  await page.close();
  await server.stop();
}

try {
  // Its events are in the lake after a second, so that there is something to rank.
  const server = await start('live', ['--segment-age', '1s']);
  await post(server.address, day());
  await committed(server.address);
  publish('live');
  for (const part of [checkPolicy, checkThemes, checkList, checkTags, checkRate, checkAway, checkTokens]) {
    await part(server).catch((error) => check(false, `${part.name}: ${error.stack}`));
  }
} finally {
  await context.close();
  for (const server of servers) server.kill('SIGKILL');
  rmSync(profile, { recursive: true, force: true });
}
console.log(wrong.length === 0 ? `${checks} checks of the live page, all is well` : `${wrong.length} of ${checks} checks of the live page failed`);
process.exit(wrong.length === 0 ? 0 : 1);
