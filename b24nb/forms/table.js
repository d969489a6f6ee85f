// The table that badges are chosen from, and the guard of keys that every form has. Texts of a portal become DOM
// text (textContent) or plain attributes, never HTML. The model's traits are described in table.py.

const PAGE = 15;
const COLUMNS = { value: "Badge", code: "Code", title: "Title", type: "Type" };
const GONE = "This form has no kernel: it was restarted, or the notebook was just opened. Run the cells to use it.";
let fallback; // The language that a portal takes where a text lacks the viewer's; it comes with the rows.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// The text that a portal shows to a viewer, and its language: the viewer's, that one, else the first.
function pick(text, language) {
  if (typeof text === "string") return [text, ""];
  const found = [language, language.toLowerCase(), fallback, ...Object.keys(text)].find((code) => text[code]);
  return found ? [text[found], found] : ["", ""];
}

const number = (value) => value.toLocaleString("en");

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const { rows, ...said } = await new Response(stream).json();
  fallback = said.fallback;
  return {
    tags: said.tags,
    rows: rows.map(([code, shown, title, value, type, note]) => {
      const [maps, texts] = [[title, value].filter((text) => typeof text !== "string"), [title, value]];
      const languages = [...new Set(maps.flatMap(Object.keys))].join(", ");
      const words = texts.flatMap((text) => (typeof text === "string" ? text : Object.values(text)));
      const all = [code, type, ...words].join("\n").toLowerCase();
      return { code, shown, title, value, type, note, languages, words: all };
    }),
  };
}

// What matches, in the chosen order: an order is a column, "-" before it turns it round, "" is the portal's.
function arrange(rows, { words, kind, order, language }) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const found = rows.filter(
    (row) => (!kind || row.type === kind) && wanted.every((word) => row.words.includes(word)),
  );
  const column = order.replace("-", "");
  if (!column) return found;
  const sign = order.startsWith("-") ? -1 : 1;
  const keyed = found.map((row) => [pick(row[column], language)[0].toLowerCase(), row]);
  keyed.sort(([one], [other]) => (one < other ? -sign : one > other ? sign : 0));
  return keyed.map(([, row]) => row);
}

function setText(cell, text, language, tags) {
  const [shown, spoken] = pick(text, language);
  cell.textContent = shown;
  cell.lang = tags[spoken] ?? "";
}

// One line of the table, made once and filled anew for each page.
function makeLine() {
  const box = make("input", { type: "checkbox", tabindex: -1 });
  const pill = make("span", { class: "b24nb-pill" });
  const [code, title, more] = [make("code"), make("span"), make("span", { class: "b24nb-more" })];
  const [type, languages] = [make("td"), make("td", { class: "b24nb-wide-only" })];
  const cells = [make("td", {}, box), make("td", {}, pill), make("td", {}, code), make("td", {}, title, more)];
  const line = make("tr", {}, ...cells, type, languages);
  const fill = (row, place, { language, tags, types, selected, focusable }) => {
    line.hidden = !row;
    line.tabIndex = focusable ? 0 : -1;
    if (!row) return;
    box.checked = selected.has(row.code);
    box.setAttribute("aria-label", `Select ${row.code}`);
    line.setAttribute("aria-selected", String(box.checked));
    line.setAttribute("aria-rowindex", String(place + 2));
    pill.className = `b24nb-pill b24nb-pill-${types.includes(row.type) ? row.type : "secondary"}`;
    setText(pill, row.value, language, tags);
    setText(title, row.title, language, tags);
    const others = typeof row.title === "string" ? 0 : Object.keys(row.title).length - 1;
    more.textContent = (others > 0 ? ` (+${others})` : "") + (row.note ? ` (${row.note})` : "");
    code.textContent = row.shown;
    type.textContent = row.type;
    languages.textContent = row.languages;
  };
  return { line, fill };
}

function makeHead(onSort, all) {
  const heads = Object.entries(COLUMNS).map(([column, name]) => {
    const button = make("button", { type: "button" }, name);
    button.addEventListener("click", () => onSort(column));
    return [column, make("th", { scope: "col" }, button)];
  });
  const languages = make("th", { scope: "col", class: "b24nb-wide-only" }, "Languages");
  const row = make("tr", {}, make("td", {}, all), ...heads.map(([, head]) => head), languages);
  const mark = (order) => {
    for (const [column, head] of heads) {
      const sorted = order === column ? "ascending" : order === `-${column}` ? "descending" : "none";
      head.setAttribute("aria-sort", sorted);
    }
  };
  return { row, mark };
}

function makeParts(types) {
  const words = make("input", { type: "search", spellcheck: "false" });
  const options = types.map((type) => make("option", { value: type }, type));
  const kind = make("select", {}, make("option", { value: "" }, "all"), ...options);
  const [status, where] = [make("span", { role: "status" }), make("span")];
  const faces = ["Clear selection", "First", "Previous", "Next", "Last"];
  const [clear, ...turns] = faces.map((face) => make("button", { type: "button" }, face));
  const labels = [make("label", {}, "Filter", words), make("label", {}, "Type", kind)];
  const bar = make("div", { class: "b24nb-bar" }, ...labels, status, clear);
  const pager = make("div", { class: "b24nb-bar" }, ...turns, where);
  return { words, kind, status, clear, turns, where, bar, pager };
}

function renderTable({ model, el }) {
  let [all, tags, found, page, cursor, anchor] = [[], {}, [], 0, 0, 0];
  const types = model.get("types");
  const parts = makeParts(types);
  const box = make("input", { type: "checkbox" });
  const head = makeHead((column) => sortBy(column), box);
  const lines = Array.from({ length: PAGE }, makeLine);
  const body = make("tbody", {}, ...lines.map(({ line }) => line));
  const grid = { class: "b24nb-table", role: "grid", "aria-multiselectable": "true" };
  const table = make("table", grid, make("thead", {}, head.row), body);
  el.classList.add("b24nb", "b24nb-grid");
  el.replaceChildren(parts.bar, make("div", { class: "b24nb-scroll" }, table), parts.pager);

  const get = (name) => model.get(name);
  const chosen = () => new Set(get("selected"));
  let saving;
  function set(values, wait = 0) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    saving = setTimeout(() => model.save_changes(), wait);
  }
  function mark(selected, rows, on) {
    rows.forEach(({ code }) => (on ? selected.add(code) : selected.delete(code)));
    set({ selected: [...selected] });
    draw(); // boxes show what is, also where nothing changed
  }
  function arranged() {
    found = arrange(all, { words: get("words"), kind: get("kind"), order: get("order"), language: get("language") });
    [page, cursor, anchor] = [0, 0, 0];
    draw();
  }
  function draw() {
    const [selected, first] = [chosen(), page * PAGE];
    const view = { language: get("language"), tags, types, selected };
    lines.forEach(({ fill }, at) => fill(found[first + at], first + at, { ...view, focusable: first + at === cursor }));
    const here = found.reduce((count, row) => count + selected.has(row.code), 0);
    const count = found.length === all.length ? "" : `${number(found.length)} of `;
    const unseen = selected.size > here ? ` (${number(selected.size - here)} not among these)` : "";
    const chose = selected.size ? `, ${number(selected.size)} selected${unseen}` : "";
    parts.status.textContent = `${count}${number(all.length)} badge${all.length === 1 ? "" : "s"}${chose}`;
    parts.clear.hidden = !selected.size;
    box.checked = found.length > 0 && here === found.length;
    box.indeterminate = here > 0 && here < found.length;
    box.setAttribute("aria-label", `Select all ${found.length} that match`);
    const last = Math.min(first + PAGE, found.length);
    parts.where.textContent = `Rows ${number(first + 1)} to ${number(last)} of ${number(found.length)}`;
    parts.pager.hidden = found.length <= PAGE;
    parts.turns.forEach((turn, at) => (turn.disabled = at < 2 ? page === 0 : last >= found.length));
    head.mark(get("order"));
    table.setAttribute("aria-label", get("label"));
    table.setAttribute("aria-rowcount", String(found.length + 1));
    if (parts.words.value !== get("words")) parts.words.value = get("words");
    parts.kind.value = get("kind");
  }
  const sortBy = (column) => set({ order: { [column]: `-${column}`, [`-${column}`]: "" }[get("order")] ?? column });
  function show(to) {
    cursor = Math.max(0, Math.min(to, found.length - 1));
    page = Math.floor(cursor / PAGE);
    draw();
  }
  function move(to, range) {
    show(to);
    lines[cursor % PAGE].line.focus();
    if (range) choose(cursor, true);
    else anchor = cursor;
  }
  function choose(place, range) {
    const selected = chosen();
    const on = range || !selected.has(found[place].code);
    anchor = range ? anchor : place;
    cursor = place;
    mark(selected, found.slice(Math.min(anchor, place), Math.max(anchor, place) + 1), on);
  }
  function chooseAll() {
    const selected = chosen();
    mark(selected, found, !found.every(({ code }) => selected.has(code)));
  }
  function pressed(event) {
    const [down, up] = [cursor + PAGE, cursor - PAGE];
    const moves = { ArrowDown: cursor + 1, ArrowUp: cursor - 1, PageDown: down, PageUp: up, Home: 0, End: Infinity };
    if (!found.length || event.altKey) return;
    if (event.key in moves) move(moves[event.key], event.shiftKey);
    else if (event.key === " ") choose(cursor, event.shiftKey);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) chooseAll();
    else return;
    event.preventDefault();
  }

  parts.words.addEventListener("input", () => set({ words: parts.words.value }, 200));
  parts.kind.addEventListener("change", () => set({ kind: parts.kind.value }));
  parts.clear.addEventListener("click", () => (set({ selected: [] }), parts.words.focus()));
  const turns = [() => 0, () => (page - 1) * PAGE, () => (page + 1) * PAGE, () => Infinity];
  parts.turns.forEach((turn, at) => turn.addEventListener("click", () => show(turns[at]())));
  box.addEventListener("click", chooseAll);
  body.addEventListener("keydown", pressed);
  body.addEventListener("mousedown", (event) => event.shiftKey && event.preventDefault()); // marks no text
  body.addEventListener("click", (event) => {
    const place = lines.findIndex(({ line }) => line.contains(event.target));
    if (place < 0 || String(getSelection())) return;
    lines[place].line.focus();
    choose(page * PAGE + place, event.shiftKey);
  });

  async function load() {
    const packed = get("rows");
    const read = packed ? await unpack(packed) : { rows: [], tags: {} };
    if (packed === get("rows")) [all, tags] = [read.rows, read.tags]; // else newer ones are on their way
    arranged();
  }
  const follows = { rows: load, selected: draw, label: draw };
  for (const name of ["words", "kind", "order", "language"]) follows[name] = arranged;
  for (const [name, follow] of Object.entries(follows)) model.on(`change:${name}`, follow);
  load();
  return () => Object.entries(follows).forEach(([name, follow]) => model.off(`change:${name}`, follow));
}

// While a form has the focus, no key is a shortcut of the notebook: `d d` would delete a cell. JupyterLab
// leaves a key alone whose target is marked so; a listener on window gets it before JupyterLab's.
function renderKeyGuard({ el }) {
  el.classList.add("b24nb-key-guard");
  el.append(make("p", { role: "status" }, GONE)); // the style shows it once the kernel has gone
  const keep = ({ target }) => {
    const form = el.closest(".b24nb-explorer") ?? el.closest(".b24nb-form");
    if (form?.contains(target)) target.setAttribute("data-lm-suppress-shortcuts", "true");
  };
  window.addEventListener("keydown", keep, true);
  return () => window.removeEventListener("keydown", keep, true);
}

export default {
  render: (context) => (context.model.get("rows") === undefined ? renderKeyGuard : renderTable)(context),
};
