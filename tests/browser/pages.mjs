// Makes the pages to check, through the program itself: of the sample data, of a shop of ten thousand
// categories, and of one whose names are meant to break a page. Usage: pages.mjs TOPSELL FOLDER

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [program, folder] = process.argv.slice(2);
const SAMPLE = 'data/complete-journey';
const DAYS = Array.from({ length: 14 }, (_, at) => `${SAMPLE}/purchases-2017-01-${String(at + 1).padStart(2, '0')}.csv.gz`);

function topsell(lake, now, ...words) {
  const [command, ...before] = program.split(' ');
  const env = { ...process.env, TOPSELL_LAKE: join(folder, lake), TOPSELL_NOW: now };
  execFileSync(command, [...before, ...words], { env, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Ranks as of each moment, and writes the page of the last. */
function publish(lake, moments, ...words) {
  for (const moment of moments) topsell(lake, moment, 'rank', '--as-of', moment, ...words);
  const started = performance.now();
  topsell(lake, moments.at(-1), 'report', '-o', join(folder, `${lake}.html`));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${lake}.html: ${statSync(join(folder, `${lake}.html`)).size} bytes, written in ${seconds} s`);
}

/** Returns a log of names that a page could take for something else. */
function strangeLog() {
  const names = [
    '<script>window.ran = 1</script>', '</script><script>window.ran = 1</script>', '<!--<script>',
    '<img src=x onerror="window.ran = 1">', '"><svg onload=window.ran=1>', "';window.ran=1//", '&lt;b&gt;&amp;', '${window.ran=1}',
    'שלום עולם', 'مرحبا <b>', '\u202eright to left', '👩‍👩‍👧 family', 'line\nbreak\ttab', 'line\u2028paragraph\u2029end', '%3Cscript%3E', '?/#%',
    'x'.repeat(8_000), '长'.repeat(2_500),
  ];
  const categories = ['<script>window.ran = 1</script>', '</script><img src=x onerror=window.ran=1>', 'عربي', `Long ${'y'.repeat(1_500)}`];
  const lines = names.flatMap((name, at) => categories.map((category, below) => JSON.stringify({
    ts: `2017-01-${10 + (at % 5)}T12:00:00Z`, item_id: name, amount: '1.25', quantity: at + below + 1,
    categories: [[category, `Level ${at % 3} </script>`], ['All / of | them %', category]],
  })));
  // More units than a script's numbers can tell apart.
  const huge = Array.from({ length: 901 }, (_, at) => JSON.stringify({ ts: '2017-01-14T12:00:00Z', item_id: 'huge', quantity: at === 0 ? 0.5 : 1e12, amount: '0.01' }));
  return `${[...lines, ...huge].join('\n')}\n`;
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

topsell('sample', '2017-01-15T03:00:00Z', 'ingest', ...DAYS);
publish('sample', ['2017-01-07T00:00:00Z', '2017-01-14T00:00:00Z', '2017-01-15T00:00:00Z'], '--catalog', `${SAMPLE}/items.csv.gz`);

const strange = join(folder, 'strange.ndjson');
writeFileSync(strange, strangeLog());
topsell('strange', '2017-01-15T00:00:00Z', 'ingest', strange);
publish('strange', ['2017-01-13T00:00:00Z', '2017-01-15T00:00:00Z'], '--measure', 'amount', '--min-items', '1');

topsell('large', '2024-01-07T06:00:00Z', 'datagen', '--aggregates', '--purchases', '20000000', '--items', '2000000',
  '--leaves', '10000', '--tops', '50', join(folder, 'large'));
publish('large', ['2024-01-06T06:00:00Z', '2024-01-07T06:00:00Z']);
