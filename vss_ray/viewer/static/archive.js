// The list of videos: only the rows on the screen are in the page, and they come from the server as they are scrolled to.

import { keys } from "./keys.js";
import { bytes, drawStack } from "./stack.js";

const HEIGHT = 56;
const list = document.getElementById("list");
const filter = document.getElementById("name");
const perPage = Number(list.dataset.rows);
let track = list.querySelector("ol");
let pages = new Map();
let found = 0;
let colors = [];
let name = "";
let selected = -1;

function adopt(ol) {
  found = Number(ol.dataset.found);
  colors = ol.dataset.colors.match(/.{6}/g) ?? [];
  pages.set(Number(ol.dataset.first) / perPage, [...ol.children]);
}

async function fetchPage(page) {
  if (pages.has(page)) return;
  pages.set(page, null);
  const asked = name;
  try {
    const answer = await fetch(`/rows?${new URLSearchParams({ name, first: page * perPage })}`);
    const markup = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (asked !== name) return;
    adopt(markup.querySelector("ol"));
  } catch {
    pages.delete(page);
    return;
  }
  show();
}

function show() {
  track.style.height = `${found * HEIGHT}px`;
  document.getElementById("none").hidden = found > 0;
  list.hidden = found === 0;
  const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 6);
  const last = Math.min(found, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 6);
  const wanted = new Set();
  for (let row = first; row < last; row++) {
    const page = Math.floor(row / perPage);
    const item = pages.get(page)?.[row % perPage];
    if (!item) {
      fetchPage(page);
      continue;
    }
    wanted.add(item);
    if (item.parentElement === track) continue;
    item.style.top = `${row * HEIGHT}px`;
    const after = [...track.children].find((other) => parseFloat(other.style.top) > row * HEIGHT);
    track.insertBefore(document.adoptNode(item), after ?? null);
    paint(item.querySelector("canvas"));
    look(item);
  }
  for (const item of [...track.children]) {
    if (!wanted.has(item) && !item.contains(document.activeElement)) item.remove();
  }
  // Far pages are forgotten, so that scrolling through everything does not keep everything.
  const middle = Math.floor(first / perPage);
  for (const page of pages.keys()) if (Math.abs(page - middle) > 20 && pages.get(page)) pages.delete(page);
  if (selected >= first && selected < last && document.activeElement === document.body) link(selected)?.focus({ preventScroll: true });
}

// A row that is only scrolled past needs no picture.
function look(item) {
  const picture = item.querySelector("img");
  if (picture.src) return;
  setTimeout(() => item.isConnected && (picture.src = picture.dataset.src), 200);
}

function paint(canvas) {
  const classes = canvas.dataset.classes ? canvas.dataset.classes.split(",").map(Number) : [];
  drawStack(canvas, bytes(canvas.dataset.shares), classes, (id) => `#${colors[id]}`);
}

function link(row) {
  return pages.get(Math.floor(row / perPage))?.[row % perPage]?.querySelector("a");
}

function move(step) {
  const top = document.activeElement.closest?.("li")?.style.top;
  const here = top ? parseFloat(top) / HEIGHT : -1;
  selected = Math.min(Math.max(here < 0 ? Math.ceil(list.scrollTop / HEIGHT) : here + step, 0), found - 1);
  const top_ = selected * HEIGHT;
  if (top_ < list.scrollTop) list.scrollTop = top_;
  if (top_ + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top_ + HEIGHT - list.clientHeight;
  show();
  link(selected)?.focus({ preventScroll: true });
}

function start() {
  list.classList.add("virtual");
  adopt(track);
  track.replaceChildren();
  show();
  let waiting = false;
  list.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      show();
    });
  });
  new ResizeObserver(() => {
    show();
    for (const canvas of track.querySelectorAll("canvas")) paint(canvas);
  }).observe(list);
  let typing = 0;
  filter.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      name = filter.value;
      pages = new Map();
      list.hidden = false;
      list.scrollTop = 0;
      track.replaceChildren();
      fetchPage(0);
    }, 120);
  });
  // A click on a timeline opens the video at that place.
  list.addEventListener("click", (event) => {
    const canvas = event.target.closest("canvas");
    if (!canvas || event.button || event.detail === 0) return;
    const row = canvas.closest("a");
    const box = canvas.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    row.hash = `t=${(share * Number(row.dataset.seconds)).toFixed(2)}`;
  });
}

start();
keys({ j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1) });
