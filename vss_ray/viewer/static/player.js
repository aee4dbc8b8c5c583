// The player: one video, its masks over it in step, and everything that leads to another moment.

import { PlayedClock, StillClock } from "./clock.js";
import { Hits } from "./hits.js";
import { keys } from "./keys.js";
import { Legend } from "./legend.js";
import { Masks } from "./masks.js";
import { Objects } from "./objects.js";
import { findSimilar } from "./similar.js";
import { bytes } from "./stack.js";
import { Strips } from "./strips.js";
import { format } from "./time.js";

const element = (id) => document.getElementById(id);
const page = element("player");
const id = page.dataset.video;
const hits = new Hits(id, page.dataset.query);
const canvas = element("masks");
const context = canvas.getContext("2d");

const about = await fetch(`/about/${id}`).then((answer) => answer.json());
for (const name of ["shares", "reliable", "agreement"]) about.timeline[name] = bytes(about.timeline[name]);

const masks = new Masks(id, about.clips);
const legend = new Legend(about, () => {
  repalette();
  strips.hidden = legend.hidden;
  strips.draw();
  remember();
});
const objects = new Objects(id, masks.clips, about.objects, (to) => go(to));
const strips = new Strips(about, { seek: (seconds) => go(seconds), format });
const palette = new Uint32Array(about.void + 1);
let image = null;
let pixels = null;
let masksShown = true;
let boxesShown = true;
let seconds = 0;

// --- the picture -----------------------------------------------------------------------------------------------------

function fit() {
  const stage = element("stage");
  const { width, height } = stage.dataset;
  const room = stage.parentElement.getBoundingClientRect();
  const scale = Math.min(room.width / width, room.height / height);
  stage.style.width = `${Math.floor(width * scale)}px`;
  stage.style.height = `${Math.floor(height * scale)}px`;
}

function repalette() {
  palette.fill(0);
  const little = new Uint8Array(palette.buffer);
  for (const { id: label, color } of about.classes) {
    if (!legend.hidden.has(label)) little.set([...color, 255], label * 4);
  }
  paint();
}

function shown(at) {
  seconds = at;
  paint();
  element("time").textContent = format(at);
  strips.now(at);
  if (clock.paused) remember();
}

function paint() {
  const found = masks.at(seconds);
  if (boxesShown) objects.draw(element("boxes"), seconds, found.number, paint);
  if (found.state === "loading") masks.load(found.number).then(paint);
  else masks.load(found.number + 1);
  const badge = element("badge");
  if (found.state !== "ready") {
    context.clearRect(0, 0, canvas.width, canvas.height);
    canvas.removeAttribute("data-frame");
    badge.hidden = false;
    badge.className = "badge";
    badge.textContent = { loading: "loading masks", missing: "not processed", failed: "masks cannot be read" }[found.state];
    legend.now(null);
    return;
  }
  const { pack, index } = found;
  const { width, height, start } = pack.header;
  if (canvas.width !== width || canvas.height !== height || !image) {
    canvas.width = width;
    canvas.height = height;
    image = context.createImageData(width, height);
    pixels = new Uint32Array(image.data.buffer);
  }
  if (masksShown) {
    pack.paint(index, pixels, palette);
    context.putImageData(image, 0, 0);
  } else context.clearRect(0, 0, width, height);
  canvas.dataset.frame = `${start + index}`;
  const distance = pack.distances[index];
  const age = seconds - pack.times[index];
  badge.hidden = false;
  badge.className = distance ? "badge" : "badge key";
  badge.textContent = distance ? `◇ carried ${distance} frame${distance > 1 ? "s" : ""}` : "◆ keyframe";
  if (pack.header.pass === "coarse") {
    // Only some frames have masks: between them the last one stays, and says so.
    badge.textContent = age < 0.01 ? "◆ coarse pass" : `coarse pass, mask of ${age.toFixed(2)} s ago`;
    badge.className = age < 0.01 ? "badge key" : "badge";
  }
  legend.now(pack.sharesOf(index));
}

// --- time ------------------------------------------------------------------------------------------------------------

const heard = { shown, changed, failed };
let clock = page.dataset.reason
  ? new StillClock(element("still"), id, about.seconds, heard)
  : new PlayedClock(element("video"), heard);

function changed() {
  const plays = !clock.paused;
  element("play").setAttribute("aria-label", plays ? "Pause" : "Play");
  element("play").querySelector("path").setAttribute("d", plays ? "M4 2.500h3v11H4zM9 2.500h3v11H9z" : "M4 2.500v11L13 8z");
  if (!plays) remember();
}

function failed(reason) {
  const notice = element("notice");
  notice.hidden = false;
  if (clock instanceof StillClock) {
    notice.textContent = `The source cannot be shown: ${reason}. Masks alone are drawn.`;
    return;
  }
  notice.textContent = `Shown as single pictures: ${reason}.`;
  element("video").hidden = true;
  element("still").hidden = false;
  clock = new StillClock(element("still"), id, about.seconds, heard);
  clock.rate(Number(element("speed").value));
  clock.seek(seconds || moment().seconds);
}

function go(to) {
  clock.seek(Math.min(Math.max(to, 0), Math.max(about.seconds - 1e-3, 0)));
}

function toggle() {
  if (clock.paused) clock.play();
  else clock.pause();
}

// One frame, by the times in the masks; where there are none, a twenty-fifth of a second.
async function step(by) {
  clock.pause();
  const found = masks.at(seconds);
  let to = seconds + by / 25;
  if (found.state === "ready") {
    const next = found.index + by;
    if (next in found.pack.times) to = found.pack.times[next];
    else {
      const pack = await masks.load(found.number + by);
      const clip = masks.clips[found.number + by];
      if (pack) to = by > 0 ? pack.times[0] : pack.times.at(-1);
      else if (clip) to = by > 0 ? clip.start : clip.stop - 0.04;
      else return;
    }
  }
  go(to);
}

// --- the address -----------------------------------------------------------------------------------------------------

function moment() {
  const given = new URLSearchParams(location.hash.slice(1));
  const names = given.get("show")?.split(",").filter(Boolean);
  return {
    seconds: Math.max(0, Number(given.get("t")) || 0),
    classes: names && about.classes.filter(({ name }) => names.includes(encodeURIComponent(name))).map((each) => each.id),
    opacity: given.has("opacity") ? Math.min(100, Math.max(0, Number(given.get("opacity")) || 0)) : null,
  };
}

function address() {
  const ids = legend.shown();
  const opacity = element("opacity").value;
  const parts = [`t=${seconds.toFixed(3)}`];
  if (ids) parts.push(`show=${encodeURIComponent(ids.map((each) => encodeURIComponent(about.classes[each].name)).join(","))}`);
  if (opacity !== element("opacity").defaultValue) parts.push(`opacity=${opacity}`);
  return `#${parts.join("&")}`;
}

let remembering = 0;
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => history.replaceState(null, "", address()), 200); // browsers allow 100 in 30 s
}

function follow() {
  const wanted = moment();
  if (wanted.opacity !== null) element("opacity").value = wanted.opacity;
  canvas.style.opacity = element("opacity").value / 100;
  legend.only(wanted.classes ?? null);
  clock.seek(wanted.seconds);
}

async function copyLink() {
  history.replaceState(null, "", address());
  try {
    await navigator.clipboard.writeText(location.href);
    element("link").textContent = "Copied";
  } catch {
    element("link").textContent = "In the address bar";
  }
  setTimeout(() => (element("link").textContent = "Copy link"), 1500);
}

// --- hits ------------------------------------------------------------------------------------------------------------

async function loadHits() {
  element("hit-count")?.replaceChildren(await hits.load());
  element("previous-hit").hidden = element("next-hit").hidden = !hits.all.length;
  strips.hits = hits.here;
  strips.draw();
}

function toHit(by) {
  const hit = hits.from(seconds, by);
  if (!hit) return;
  if (hit.video_id === id) go(hit.peak_seconds);
  else location.assign(hits.address(hit));
}

// --- controls --------------------------------------------------------------------------------------------------------

function setOpacity(value) {
  element("opacity").value = value;
  canvas.style.opacity = element("opacity").value / 100;
  remember();
}

function toggleMasks() {
  masksShown = !masksShown;
  paint();
}

function toggleBoxes() {
  boxesShown = !boxesShown;
  element("boxes").hidden = !boxesShown;
  element("toggle-objects")?.setAttribute("aria-pressed", boxesShown);
  paint();
}

element("play").addEventListener("click", toggle);
element("toggle-objects")?.addEventListener("click", toggleBoxes);
element("stage").addEventListener("click", toggle);
element("back").addEventListener("click", () => step(-1));
element("forward").addEventListener("click", () => step(1));
element("previous-hit").addEventListener("click", () => toHit(-1));
element("next-hit").addEventListener("click", () => toHit(1));
element("opacity").addEventListener("input", (event) => setOpacity(event.target.value));
element("speed").addEventListener("change", (event) => clock.rate(Number(event.target.value)));
element("link").addEventListener("click", copyLink);
element("similar")?.addEventListener("click", () => findSimilar(id, seconds));
addEventListener("hashchange", follow);
new ResizeObserver(fit).observe(element("stage").parentElement);

keys({
  " ": toggle,
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  "shift+ArrowLeft": () => go(seconds - 5),
  "shift+ArrowRight": () => go(seconds + 5),
  ArrowUp: () => setOpacity(Number(element("opacity").value) + 5),
  ArrowDown: () => setOpacity(Number(element("opacity").value) - 5),
  j: () => toHit(1),
  k: () => toHit(-1),
  m: toggleMasks,
  o: toggleBoxes,
  l: copyLink,
  s: () => element("similar") && findSimilar(id, seconds),
  ...Object.fromEntries([..."123456789"].map((digit) => [digit, () => legend.toggleNth(digit - 1)])),
});

fit();
follow();
strips.draw();
loadHits();
