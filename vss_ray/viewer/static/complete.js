// Completion of the word under the caret: classes with their synonyms, then the words of the language.

let words = null;

async function load() {
  words ??= fetch("/words").then((answer) => answer.json());
  return words;
}

export function complete(input, list) {
  let chosen = -1;
  let offers = [];

  function close() {
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function choose(index) {
    chosen = index;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    if (index < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[index].id);
    list.children[index].scrollIntoView({ block: "nearest" });
  }

  function take(index) {
    const { from, text } = offers[index];
    const behind = input.value.slice(input.selectionStart);
    const before = input.value.slice(0, from) + text + (text.endsWith("(") ? "" : " ");
    input.value = before + behind.trimStart();
    input.setSelectionRange(before.length, before.length);
    close();
  }

  async function show(evenWithoutWord = false) {
    const known = await load();
    if (document.activeElement !== input) return;
    const before = input.value.slice(0, input.selectionStart);
    const word = before.match(/[\p{L}_][\p{L}\p{N}_-]*$/u)?.[0] ?? "";
    if (!word && !evenWithoutWord) return close();
    offers = found(known, word.toLowerCase(), before).map((offer) => ({ ...offer, from: before.length - word.length }));
    if (!offers.length || (offers.length === 1 && offers[0].text === word)) return close();
    list.replaceChildren(...offers.map((offer, index) => item(offer, index)));
    list.hidden = false;
    chosen = -1;
    input.setAttribute("aria-expanded", "true");
    input.removeAttribute("aria-activedescendant");
  }

  function item(offer, index) {
    const line = document.createElement("li");
    line.id = `${list.id}-${index}`;
    line.setAttribute("role", "option");
    line.setAttribute("aria-selected", "false");
    if (offer.color) {
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = `rgb(${offer.color})`;
      line.append(swatch);
    }
    const note = document.createElement("span");
    note.className = "faint";
    note.textContent = offer.note;
    line.append(offer.text, note);
    line.addEventListener("mousedown", (event) => {
      event.preventDefault();
      take(index);
    });
    return line;
  }

  input.addEventListener("input", () => show());
  input.addEventListener("focus", load, { once: true });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (list.hidden) {
      if (event.key === "ArrowDown") {
        event.preventDefault();
        show(true);
      }
      return;
    }
    const last = offers.length - 1;
    if (event.key === "ArrowDown") choose(chosen >= last ? 0 : chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen <= 0 ? last : chosen - 1);
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") take(Math.max(chosen, 0));
    else if (event.key === "Enter" && chosen >= 0) take(chosen);
    else return;
    event.preventDefault();
  });
}

function found(known, word, before) {
  const classes = known.classes.map(({ name, color, aliases }) => {
    const names = [name, ...aliases].map((each) => each.toLowerCase());
    const rank = names.some((each) => each.startsWith(word)) ? 0 : names.some((each) => each.includes(word)) ? 1 : 2;
    const alias = aliases.find((each) => each.toLowerCase().startsWith(word));
    const note = word && alias && !name.toLowerCase().startsWith(word) ? alias : "class";
    return { text: quoted(name, known.keywords), note, color, rank };
  });
  const language = (before.trim() ? [...known.phrases, ...known.openings] : known.openings).map(([text, note]) => {
    return { text, note, rank: text.toLowerCase().startsWith(word) ? 0 : 2 };
  });
  return [...classes, ...language].filter((offer) => offer.rank < 2).sort((a, b) => a.rank - b.rank).slice(0, 12);
}

function quoted(name, keywords) {
  const plain = /^[\p{L}_][\p{L}\p{N}_-]*$/u.test(name) && !keywords.includes(name.toLowerCase());
  return plain ? name : `"${name.replace(/[\\"]/g, "\\$&")}"`;
}
