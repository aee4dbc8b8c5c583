// Objects that were followed: boxes over the picture, and the list of who there is.

const KEPT = 6;

export class Objects {
  // found: id, name, color, seconds, first, last of each; seek: goes to a time.
  constructor(video, clips, found, seek) {
    this.video = video;
    this.clips = clips;
    this.found = new Map(found.map((each) => [each.id, each]));
    this.loaded = new Map();
    const list = document.getElementById("objects");
    list?.append(...found.map((each) => line(each, seek)));
  }

  // Draw the boxes of a time; later, where they are still to come: then again() is called.
  draw(canvas, seconds, number, again) {
    const { width, height } = canvas.parentElement.dataset;
    if (canvas.width !== Number(width)) canvas.width = width;
    if (canvas.height !== Number(height)) canvas.height = height;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.found.size) return;
    const clip = this.#load(number, again);
    if (!clip) return;
    const index = at(clip.times, seconds);
    canvas.dataset.seen = index < 0 ? "" : clip.boxes[index].map(([id]) => id).join(" ");
    if (index < 0) return;
    const unit = Math.max(1, canvas.height / 360);
    context.lineWidth = 2 * unit;
    context.font = `600 ${11 * unit}px system-ui, sans-serif`;
    for (const [id, left, top, right, bottom] of clip.boxes[index]) {
      const { color, name } = this.found.get(id) ?? { color: [255, 255, 255] };
      const text = name ? `${id} ${name}` : `${id}`;
      context.strokeStyle = context.fillStyle = `rgb(${color})`;
      context.strokeRect(left, top, right - left, bottom - top);
      const high = 16 * unit;
      const y = top >= high ? top - high : top;
      context.fillRect(left - unit, y, context.measureText(text).width + 8 * unit, high);
      context.fillStyle = isDark(color) ? "#fff" : "#000";
      context.fillText(text, left + 3 * unit, y + 12 * unit);
    }
  }

  #load(number, again) {
    const clip = this.clips[number];
    if (!clip) return null;
    if (!this.loaded.has(number)) {
      this.loaded.set(number, null);
      while (this.loaded.size > KEPT) this.loaded.delete(this.loaded.keys().next().value);
      fetch(`/boxes/${this.video}/${clip.id}`)
        .then((answer) => (answer.ok ? answer.json() : { times: [], boxes: [] }))
        .then((data) => {
          this.loaded.set(number, data);
          again();
        })
        .catch(() => this.loaded.delete(number));
    }
    return this.loaded.get(number);
  }
}

// By what the eye makes of red, green and blue (ITU-R BT.709).
function isDark([red, green, blue]) {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
}

// The last time at or before a moment; -1 where there is none.
function at(times, seconds) {
  let low = -1;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= seconds + 1e-3) low = middle;
    else high = middle - 1;
  }
  return low;
}

function line({ id, name, color, seconds, first }, seek) {
  const item = document.createElement("li");
  item.innerHTML = '<button type="button"><span class="swatch"></span><span class="name"></span><span class="share"></span></button>';
  const part = (selector) => item.querySelector(selector);
  part(".swatch").style.background = `rgb(${color})`;
  part(".name").textContent = name ? `${id} ${name}` : `object ${id}`;
  part(".share").textContent = `${seconds.toFixed(1)} s`;
  part("button").title = "To where it is seen first";
  part("button").addEventListener("click", () => seek(first));
  return item;
}
