// Seven days as small and large drawings, and the share of a whole.

const SPARK = { width: 68, height: 22, bar: 8, step: 10 };
const CHART = { width: 320, height: 240, top: 18, bottom: 34 };

/** Returns where a value's bar begins and how long it is, returns hanging below the line. */
function bars(days, height) {
  const values = days.map(Number);
  const most = Math.max(0, ...values);
  const least = Math.min(0, ...values);
  const scale = most - least > 0 ? height / (most - least) : 0;
  const zero = most * scale;
  return { zero, of: values.map((value) => ({ y: value < 0 ? zero : zero - value * scale, long: Math.abs(value) * scale })) };
}

/** Returns the class of a day's bar: the last one may not be over. */
function classOf(at) {
  return at === 6 && facts.last_day_open ? 'bar-of-day open' : 'bar-of-day';
}

/** Returns seven days as a sparkline, which reads as a sentence. */
function sparkline(days) {
  const { zero, of } = bars(days, SPARK.height - 2);
  const said = days.map((units, at) => `${day(facts.days[at])}: ${number(units)}`).join(', ');
  return draw('svg', { class: 'spark', viewBox: `0 0 ${SPARK.width} ${SPARK.height}`, role: 'img', 'aria-label': `Units by day, ${said}` },
    draw('title', {}, said),
    draw('line', { x1: 0, x2: SPARK.width, y1: zero + 1.5, y2: zero + 1.5 }),
    of.map(({ y, long }, at) => draw('rect', {
      class: classOf(at), x: at * SPARK.step, width: SPARK.bar, y: (y + 1).toFixed(2), height: Math.max(long, long > 0 ? 1 : 0).toFixed(2),
    })));
}

/** Returns seven days as a chart, and as a table for those who do not see it. */
function chart(days) {
  const { zero, of } = bars(days, CHART.height - CHART.top - CHART.bottom);
  const step = CHART.width / 7;
  const columns = of.map(({ y, long }, at) => [
    draw('rect', {
      class: classOf(at), x: ((at + 0.14) * step).toFixed(1), width: (step * 0.72).toFixed(1),
      y: (CHART.top + y).toFixed(2), height: long.toFixed(2), rx: 1.5,
    }),
    draw('text', { x: ((at + 0.5) * step).toFixed(1), y: (CHART.top + y - 6).toFixed(2) }, rough(days[at])),
    day(facts.days[at]).split(/ (.*)/, 2).map((words, row) => draw('text', {
      class: 'day', x: ((at + 0.5) * step).toFixed(1), y: CHART.height - 19 + row * 13,
    }, words)),
  ]);
  const drawn = draw('svg', { class: 'chart', viewBox: `0 0 ${CHART.width} ${CHART.height}`, 'aria-hidden': 'true' },
    columns, draw('line', { x1: 0, x2: CHART.width, y1: CHART.top + zero + 0.5, y2: CHART.top + zero + 0.5 }));
  const read = make('table', { class: 'unseen' },
    make('caption', {}, 'Units by day'),
    make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, 'Day'), make('th', { scope: 'col' }, 'Units'))),
    make('tbody', {}, days.map((units, at) => make('tr', {}, make('th', { scope: 'row' }, day(facts.days[at])), make('td', {}, number(units))))));
  return [drawn, read];
}

/** Returns a part of a whole as that of a bar. */
function meter(part) {
  return draw('svg', { class: 'meter', viewBox: '0 0 48 6', 'aria-hidden': 'true' },
    draw('rect', { class: 'all', width: 48, height: 6, rx: 3 }),
    draw('rect', { class: 'part', width: (48 * Math.max(0, Math.min(1, part))).toFixed(2), height: 6, rx: 3 }));
}

/** Returns how an item moved since the ranking before. */
function change(row) {
  const { direction, text, said } = movement(row);
  return make('span', { class: `change ${direction}` },
    make('span', { 'aria-hidden': 'true' }, text), make('span', { class: 'unseen' }, said));
}

/** Returns a movement as a sign and in words: `previous` is 0 for an item that is new. */
function movement({ rank, previous }) {
  if (previous === null) return { direction: 'unknown', text: '–', said: 'unknown' };
  if (previous === 0) return { direction: 'new', text: 'new', said: '' };
  const by = previous - rank;
  if (by > 0) return { direction: 'up', text: `▲${number(by)}`, said: `up ${by}` };
  if (by < 0) return { direction: 'down', text: `▼${number(-by)}`, said: `down ${-by}` };
  return { direction: 'same', text: '=', said: 'unchanged' };
}
