// The strips under the picture: hits, coverage, keyframes, confidence, on one axis of time that can be clicked and dragged.

import { drawStack, sized } from "./stack.js";

export class Strips {
  constructor(about, { seek, format }) {
    this.about = about;
    this.format = format;
    this.hits = [];
    this.hidden = new Set();
    this.box = document.getElementById("strips");
    this.playhead = document.getElementById("playhead");
    this.hover = document.getElementById("hover");
    this.canvas = Object.fromEntries(
      ["hits", "coverage", "keyframes", "confidence"].map((id) => [id, document.getElementById(id)]),
    );
    new ResizeObserver(() => this.draw()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    const at = (event) => {
      const { left, width } = this.canvas.coverage.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - left) / width, 0), 1) * about.seconds;
    };
    this.box.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.box.setPointerCapture(event.pointerId);
      seek(at(event));
    });
    this.box.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) seek(at(event));
      this.hover.hidden = false;
      this.hover.textContent = format(at(event));
      this.hover.style.left = `${this.#x(at(event))}px`;
    });
    this.box.addEventListener("pointerleave", () => (this.hover.hidden = true));
    this.box.addEventListener("keydown", (event) => {
      const target = { Home: 0, End: about.seconds, PageUp: this.time - 5, PageDown: this.time + 5 }[event.key];
      if (target === undefined) return;
      event.preventDefault();
      seek(Math.min(Math.max(target, 0), about.seconds));
    });
  }

  time = 0;

  #x(seconds) {
    const lane = this.canvas.coverage;
    return lane.offsetLeft + (seconds / Math.max(this.about.seconds, 1e-9)) * lane.clientWidth;
  }

  now(seconds) {
    this.time = seconds;
    this.playhead.style.left = `${this.#x(seconds)}px`;
    this.box.setAttribute("aria-valuenow", seconds.toFixed(2));
    this.box.setAttribute("aria-valuetext", this.format(seconds));
  }

  draw() {
    const { timeline, seconds, keyframes, classes } = this.about;
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    drawStack(this.canvas.coverage, timeline.shares, timeline.classes, (id) => `rgb(${classes[id].color})`, this.hidden);

    const keys = sized(this.canvas.keyframes);
    const x = (at) => (at / Math.max(seconds, 1e-9)) * keys.width;
    const crowded = keyframes.length > keys.width / 9;
    keys.context.fillStyle = ink("--key");
    for (const at of keyframes) {
      if (crowded) keys.context.fillRect(x(at), 3, 1, keys.height - 6);
      else diamond(keys.context, x(at), keys.height / 2, 3.5);
    }

    const sure = sized(this.canvas.confidence);
    const step = sure.width / timeline.reliable.length;
    const y = (level) => sure.height - 3 - Math.max(0.02, (level / 255 - 0.5) * 2) * (sure.height - 6); // from 50 % up
    sure.context.beginPath();
    timeline.reliable.forEach((level, i) => {
      if (level) sure.context.rect(i * step, y(level), step * 1.05, sure.height - y(level));
    });
    sure.context.fillStyle = ink("--sure");
    sure.context.fill();
    sure.context.fillStyle = ink("--text");
    timeline.agreement.forEach((level, i) => {
      if (!level) return;
      sure.context.beginPath();
      sure.context.arc((i + 0.5) * step, y(level), 2, 0, 7);
      sure.context.fill();
    });

    document.getElementById("hits-lane").hidden = !this.hits.length;
    if (this.hits.length) {
      const { context, width, height } = sized(this.canvas.hits);
      context.fillStyle = ink("--hit");
      for (const hit of this.hits) {
        const left = (hit.start / seconds) * width;
        context.fillRect(left, 2, Math.max(2, (hit.end / seconds) * width - left), height - 4);
      }
    }
    this.now(this.time);
  }
}

function diamond(context, x, y, size) {
  context.beginPath();
  context.moveTo(x - size, y);
  context.lineTo(x, y - size);
  context.lineTo(x + size, y);
  context.lineTo(x, y + size);
  context.fill();
}
