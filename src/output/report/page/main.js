// The page as a whole: its head, the theme, and what the address asks for.

const aside = document.getElementById('aside');
const menu = document.getElementById('menu');
const themeButton = document.getElementById('theme');
const THEMES = [['auto', 'Theme: auto'], ['light', 'Theme: light'], ['dark', 'Theme: dark']];
let asked = 0;

function drawHead() {
  document.getElementById('title').textContent = visible(facts.title);
  const covered = `${hours(facts.window_hours)} to ${moment(facts.as_of)}`;
  const decay = facts.half_life_hours === null ? 'no decay' : `half-life ${hours(facts.half_life_hours)}`;
  const types = facts.event_types.join(', ');
  document.getElementById('summary').textContent = [covered, decay, `by ${facts.by}`, types === 'purchase' ? null : visible(types)].filter(Boolean).join(' · ');
  const age = `${span(facts.age_hours)} old`;
  document.getElementById('colophon').textContent = `Generated ${moment(facts.written)} by topsell ${facts.version} from a ranking ${age}; ${counted(directory.paths.length, 'category', 'categories')}.`;
}

/** Returns what the address asks for. */
function route() {
  const text = location.hash.slice(1);
  const plain = (part) => {
    try { return decodeURIComponent(part); } catch { return part; }
  };
  if (text.startsWith('item/')) return { item: plain(text.slice(5)) };
  const [path, marked] = text.replace(/^\//, '').split('?');
  return { path: path === '' ? null : path.split('/').map(plain).join('/'), marked: marked === undefined ? null : plain(marked) };
}

/** Draws what the address asks for, and says so to who cannot see it. */
async function follow() {
  asked += 1;
  const ask = asked;
  const { item, path, marked } = route();
  main.setAttribute('aria-busy', 'true');
  const category = item === undefined ? categories.get(path) : null;
  const drawn = item !== undefined ? await showItem(item)
    : category ? await showCategory(category, marked)
      : nothing(path === null ? 'There is no ranking of the whole shop.' : `There is no ranking of ${visible(path)}.`);
  // Someone who walks fast has asked for something else by now.
  if (ask !== asked) return;
  main.replaceChildren(...drawn);
  main.setAttribute('aria-busy', 'false');
  reveal(category ?? null);
  const heading = main.querySelector('h1');
  document.title = `${heading.textContent} – ${facts.title}`;
  document.getElementById('announcement').textContent = heading.textContent;
  const row = main.querySelector('.marked');
  if (row) row.scrollIntoView({ block: 'center' });
  else if (ask > 1) window.scrollTo(0, 0);
  if (ask > 1 && !tree.contains(document.activeElement)) heading.focus({ preventScroll: true });
  if (ask === 1) performance.mark('opened');
}

function failed(error) {
  main.replaceChildren(...nothing(`Cannot read this page: ${error.message}`));
  main.setAttribute('aria-busy', 'false');
  console.error(error);
}

function closeMenu() {
  aside.classList.remove('open');
  menu.setAttribute('aria-expanded', 'false');
}

function startMenu() {
  menu.addEventListener('click', () => {
    const isOpen = aside.classList.toggle('open');
    menu.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) {
      walkTo(active);
      tree.focus();
    }
  });
}

/** A page opened from a disk may have nowhere to keep what was chosen. */
function kept(theme) {
  try {
    if (theme) localStorage.setItem('topsell-theme', theme);
    return localStorage.getItem('topsell-theme');
  } catch {
    return theme;
  }
}

function dress(theme) {
  const at = Math.max(0, THEMES.findIndex(([known]) => known === theme));
  const [known, text] = THEMES[at];
  if (known === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = known;
  themeButton.textContent = text;
  themeButton.onclick = () => {
    const [next] = THEMES[(at + 1) % THEMES.length];
    kept(next);
    dress(next);
  };
}

/** Not by the address, which says what is looked at. */
function startSkip() {
  document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    main.focus();
  });
}

dress(kept());
startSkip();
drawHead();
startMenu();
startTree();
startSearch();
window.addEventListener('hashchange', () => { follow().catch(failed); });
follow().catch(failed);
