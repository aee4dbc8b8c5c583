// What every page shares: keys, the list of keys, and the search box.

import { complete } from "./complete.js";

const help = document.getElementById("help");
const search = document.getElementById("q");

// actions: key (with "shift+" in front where held) -> function; not while somebody writes.
export function keys(actions) {
  const all = { "/": focusSearch, "?": () => help.showModal(), ...actions };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const target = event.target;
    const writes = target.matches("input[type=search], textarea, [contenteditable]");
    if (writes) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const name = event.shiftKey && event.key.length > 1 ? `shift+${event.key}` : event.key;
    const action = all[name];
    if (!action) return;
    // A focused control keeps the keys that work it.
    if (event.key === " " && target.matches("button, input, select, a, summary")) return;
    if (event.key.startsWith("Arrow") && target.matches("select, input[type=range]")) return;
    event.preventDefault();
    action();
  });
}

function focusSearch() {
  search.focus();
  search.select();
}

document.getElementById("help-button").addEventListener("click", () => help.showModal());
complete(search, document.getElementById("q-options"));
