// Masks of one video: fetched a clip at a time, kept as runs, drawn a frame at a time.
// The layout of a pack is described in maskpack.py.

const KEPT = 6;
const MOST_OUTLINED = 2.5e6; // pixels; more would take longer than a frame lasts
const EDGE = 0xd8ffffff;

export class Masks {
  constructor(video, clips) {
    this.video = video;
    this.clips = clips.map(([id, start, stop, pass]) => ({ id, start, stop, pass }));
    this.packs = new Map();
    this.failures = new Map();
  }

  // The number of the clip that a time falls into.
  clipAt(seconds) {
    let low = 0;
    let high = this.clips.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.clips[middle].start <= seconds + 1e-3) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // The pack of a clip if it is here; a promise of it otherwise.
  load(number) {
    const clip = this.clips[number];
    if (!clip?.pass || this.failures.has(number)) return Promise.resolve(null);
    if (!this.packs.has(number)) {
      const pack = fetch(`/masks/${this.video}/${clip.id}`)
        .then((answer) => {
          if (!answer.ok) throw new Error(`${answer.status}`);
          return answer.arrayBuffer();
        })
        .then((data) => {
          const unpacked = unpack(data);
          if (this.packs.has(number)) this.packs.set(number, unpacked);
          return unpacked;
        })
        .catch((error) => {
          this.packs.delete(number);
          this.failures.set(number, error.message);
          return null;
        });
      this.packs.set(number, pack);
      while (this.packs.size > KEPT) this.packs.delete(this.packs.keys().next().value);
    }
    return Promise.resolve(this.packs.get(number));
  }

  // The frame shown at a time: {pack, index}, or what keeps it: "missing", "loading", "failed".
  at(seconds) {
    const number = this.clipAt(seconds);
    if (!this.clips[number]?.pass) return { state: "missing", number };
    if (this.failures.has(number)) return { state: "failed", number };
    const pack = this.packs.get(number);
    if (!pack || pack instanceof Promise) return { state: "loading", number };
    this.packs.delete(number); // used last, forgotten last
    this.packs.set(number, pack);
    return { state: "ready", number, pack, index: pack.indexAt(seconds) };
  }
}

class Pack {
  constructor(header, times, offsets, shares, distances, labels, low, high) {
    Object.assign(this, { header, times, offsets, shares, distances, labels, low, high });
  }

  // The last frame that begins at or before a time.
  indexAt(seconds) {
    let low = 0;
    let high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= seconds + 1e-3) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  sharesOf(index) {
    const count = this.header.classes;
    return this.shares.subarray(index * count, (index + 1) * count);
  }

  // Fill (H * W) pixels with the colors of a frame, and light lines between classes; palette: color by label, as the
  // canvas stores pixels.
  paint(index, pixels, palette) {
    let at = 0;
    for (let run = this.offsets[index]; run < this.offsets[index + 1]; run++) {
      const end = at + this.low[run] + (this.high[run] << 8);
      pixels.fill(palette[this.labels[run]], at, end);
      at = end;
    }
    if (pixels.length <= MOST_OUTLINED) outline(pixels, this.header.width);
  }
}

// From the end, because each pixel is compared with those before it.
function outline(pixels, width) {
  for (let at = pixels.length - 1; at >= width; at--) {
    const color = pixels[at];
    if (color && (color !== pixels[at - 1] || color !== pixels[at - width])) pixels[at] = EDGE;
  }
}

export function unpack(data) {
  const size = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, size)));
  const { frames, classes, depth } = header;
  let at = 4 + size;
  const take = (Kind, count) => {
    const values = new Kind(data, at, count);
    at += values.byteLength;
    return values;
  };
  const times = take(Float64Array, frames);
  const counts = take(Uint32Array, frames);
  const shares = take(Uint16Array, frames * classes);
  const distances = take(Uint16Array, frames);
  const offsets = new Uint32Array(frames + 1);
  counts.forEach((count, i) => (offsets[i + 1] = offsets[i] + count));
  const runs = offsets[frames];
  const labels = take(depth === 2 ? Uint16Array : Uint8Array, runs);
  return new Pack(header, times, offsets, shares, distances, labels, take(Uint8Array, runs), take(Uint8Array, runs));
}
