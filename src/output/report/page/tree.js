// The tree of categories: of ever so many, those on the screen are elements.

const tree = document.getElementById('tree');
const inside = make('div', { role: 'none' });
/** The categories that a person could scroll to, in their order. */
let lines = [];
let active = 0;
let chosen = null;
let typed = '';
let typedAt = 0;
const TYPING_MS = 600;
const SPARE_LINES = 8;

/** Lists what is open, and draws it. */
function layOut() {
  lines = [];
  const add = (category, at, all) => {
    lines.push({ category, at: at + 1, of: all.length });
    if (category.isOpen) category.below.forEach(add);
  };
  tops.forEach(add);
  drawTree();
}

function heightOfLine() {
  return parseInt(getComputedStyle(tree).getPropertyValue('--row'), 10);
}

function drawTree() {
  if (lines.length === 0) return;
  const height = heightOfLine();
  inside.style.height = `${lines.length * height}px`;
  const from = Math.max(0, Math.floor(tree.scrollTop / height) - SPARE_LINES);
  const to = Math.min(lines.length, Math.ceil((tree.scrollTop + tree.clientHeight) / height) + SPARE_LINES);
  const shown = lines.slice(from, to).map((line, at) => treeItem(line, from + at, height));
  // The active one is there for screen readers even where it was scrolled away.
  if (active < from || active >= to) shown.push(treeItem(lines[active], active, height));
  inside.replaceChildren(...shown);
  tree.setAttribute('aria-activedescendant', `node-${active}`);
}

function treeItem({ category, at, of }, index, height) {
  const isParent = category.below.length > 0;
  const item = make('div', {
    id: `node-${index}`, role: 'treeitem', class: index === active ? 'node active' : 'node',
    'aria-level': category.level, 'aria-posinset': at, 'aria-setsize': of,
    'aria-expanded': isParent ? String(category.isOpen) : null, 'aria-selected': String(category === chosen),
    'data-line': index,
  },
  make('span', { class: 'turn', 'aria-hidden': 'true' }, isParent ? (category.isOpen ? '▾' : '▸') : ''),
  make('bdi', { class: 'name', dir: 'auto', title: category.name }, brief(category.name)),
  category.units === null ? null : make('span', { class: 'count', 'aria-hidden': 'true' }, rough(category.units)));
  item.style.top = `${index * height}px`;
  item.style.setProperty('--level', category.level - 1);
  return item;
}

/** Makes a line the active one, and scrolls to it. */
function walkTo(index) {
  active = Math.max(0, Math.min(lines.length - 1, index));
  const height = heightOfLine();
  const top = inside.offsetTop + active * height;
  if (top < tree.scrollTop) tree.scrollTop = top;
  else if (top + height > tree.scrollTop + tree.clientHeight) tree.scrollTop = top + height - tree.clientHeight;
  drawTree();
}

function turn(category, isOpen) {
  if (category.below.length === 0 || category.isOpen === isOpen) return;
  category.isOpen = isOpen;
  layOut();
}

/** Marks a category as the one that is looked at, and opens what it lies in. */
function reveal(category) {
  chosen = category;
  category?.above.forEach((above) => { above.isOpen = true; });
  layOut();
  const index = lines.findIndex((line) => line.category === category);
  if (index >= 0) walkTo(index);
}

function typeAhead(key) {
  const now = performance.now();
  typed = now - typedAt < TYPING_MS ? typed + key : key;
  typedAt = now;
  const wanted = folded(typed);
  // One letter again and again walks on; a word stays where it fits.
  const first = active + (wanted.length === 1 ? 1 : 0);
  for (let step = 0; step < lines.length; step += 1) {
    const index = (first + step) % lines.length;
    if (folded(lines[index].category.name).startsWith(wanted)) return walkTo(index);
  }
}

function onTreeKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || lines.length === 0) return;
  const { category } = lines[active];
  const page = Math.max(1, Math.floor(tree.clientHeight / heightOfLine()) - 1);
  const steps = {
    ArrowDown: () => walkTo(active + 1),
    ArrowUp: () => walkTo(active - 1),
    PageDown: () => walkTo(active + page),
    PageUp: () => walkTo(active - page),
    Home: () => walkTo(0),
    End: () => walkTo(lines.length - 1),
    ArrowRight: () => (category.isOpen ? walkTo(active + 1) : turn(category, true)),
    ArrowLeft: () => {
      if (category.isOpen) turn(category, false);
      else if (category.parent) walkTo(lines.findIndex((line) => line.category === category.parent));
    },
    '*': () => {
      for (const beside of category.parent?.below ?? tops) beside.isOpen = beside.below.length > 0;
      layOut();
      walkTo(lines.findIndex((line) => line.category === category));
    },
    Enter: () => open(category),
  };
  // A space within a word is part of it.
  const isWord = event.key.length === 1 && event.key !== '*' && (event.key !== ' ' || performance.now() - typedAt < TYPING_MS);
  const step = event.key === ' ' && !isWord ? steps.Enter : steps[event.key];
  if (step) step();
  else if (isWord) typeAhead(event.key);
  else return;
  event.preventDefault();
}

function onTreeClick(event) {
  const item = event.target.closest('.node');
  if (!item) return;
  const index = Number(item.dataset.line);
  const { category } = lines[index];
  active = index;
  if (event.target.closest('.turn') && category.below.length > 0) turn(category, !category.isOpen);
  else {
    turn(category, true);
    open(category);
  }
}

function open(category) {
  location.hash = linkTo(category.path);
  closeMenu();
}

function startTree() {
  tree.append(inside);
  tree.addEventListener('scroll', drawTree, { passive: true });
  tree.addEventListener('keydown', onTreeKey);
  tree.addEventListener('click', onTreeClick);
  new ResizeObserver(drawTree).observe(tree);
  layOut();
}
