// The list of classes: which are shown, and how much of the frame on the screen each covers.

export class Legend {
  constructor(about, changed) {
    this.about = about;
    this.changed = changed;
    this.hidden = new Set();
    const { classes, timeline } = about;
    const order = timeline.classes.map((id, place) => [id, timeline.mean[place]]).sort((a, b) => b[1] - a[1]);
    this.lines = new Map(order.map(([id]) => [id, line(classes[id], this)]));
    document.getElementById("legend").append(...[...this.lines.values()].map(({ item }) => item));
    const rest = classes.filter(({ id }) => !this.lines.has(id));
    const absent = document.getElementById("absent");
    absent.hidden = !rest.length;
    absent.querySelector("summary").textContent = `${rest.length} not in this video`;
    absent.querySelector("p").textContent = rest.map(({ name }) => name).join(", ");
    document.getElementById("all").addEventListener("click", () => this.only(null));
    document.getElementById("none").addEventListener("click", () => this.only([]));
  }

  // Show these ids; null: all.
  only(ids) {
    const shown = ids && new Set(ids);
    this.hidden = new Set(shown ? this.about.classes.map(({ id }) => id).filter((id) => !shown.has(id)) : []);
    this.#mark();
  }

  toggle(id) {
    if (!this.hidden.delete(id)) this.hidden.add(id);
    this.#mark();
  }

  toggleNth(n) {
    const id = [...this.lines.keys()][n];
    if (id !== undefined) this.toggle(id);
  }

  // The shown ids, or null where all are.
  shown() {
    if (!this.hidden.size) return null;
    return this.about.classes.map(({ id }) => id).filter((id) => !this.hidden.has(id));
  }

  #mark() {
    for (const [id, { box }] of this.lines) box.checked = !this.hidden.has(id);
    this.changed();
  }

  // shares: per class in 65,535ths; null: nothing is known of this frame.
  now(shares) {
    for (const [id, { share, level }] of this.lines) {
      const value = shares ? shares[id] / 65535 : 0;
      const text = !shares ? "–" : value === 0 ? "" : value < 0.001 ? "< 0.1 %" : `${(value * 100).toFixed(1)} %`;
      if (share.textContent !== text) share.textContent = text;
      level.style.transform = `scaleX(${value})`;
    }
  }
}

function line({ id, name, color }, legend) {
  const item = document.createElement("li");
  item.innerHTML =
    '<label><input type="checkbox" checked><span class="swatch"></span><span class="name"></span><span class="share"></span></label>' +
    '<span class="level"></span><button type="button" class="only">only</button>';
  const part = (selector) => item.querySelector(selector);
  part(".name").textContent = name;
  part(".name").title = name;
  part(".swatch").style.background = part(".level").style.background = `rgb(${color})`;
  part("input").addEventListener("change", () => legend.toggle(id));
  part(".only").setAttribute("aria-label", `Only ${name}`);
  part(".only").addEventListener("click", () => legend.only([id]));
  return { item, box: part("input"), share: part(".share"), level: part(".level") };
}
