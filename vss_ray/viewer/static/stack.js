// Class shares over time as stacked areas on a canvas. Columns are 255ths, so many classes each; an all-zero column is unknown.

export function bytes(text) {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

// The canvas at the screen's own resolution; its drawing context in CSS pixels.
export function sized(canvas) {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.setTransform(canvas.width / Math.max(width, 1), 0, 0, canvas.height / Math.max(height, 1), 0, 0);
  return { context, width, height };
}

export function drawStack(canvas, shares, classes, color, hidden = new Set()) {
  const { context, width, height } = sized(canvas);
  const count = classes.length;
  if (!count || !width) return;
  const columns = shares.length / count;
  const x = (column) => ((column + 0.5) / columns) * width;
  for (const [first, last] of knownParts(shares, columns, count)) {
    const floor = new Float32Array(last - first);
    // The first class is on top: in most label sets the sky.
    for (let place = count - 1; place >= 0; place--) {
      const id = classes[place];
      context.beginPath();
      const left = first === 0 ? 0 : x(first) - width / columns / 2;
      const right = last === columns ? width : x(last - 1) + width / columns / 2;
      const top = floor.map((base, i) => base + shares[(first + i) * count + place] / 255);
      const y = (level) => height * (1 - Math.min(level, 1));
      context.moveTo(left, y(floor[0]));
      context.lineTo(left, y(top[0]));
      top.forEach((level, i) => context.lineTo(x(first + i), y(level)));
      context.lineTo(right, y(top.at(-1)));
      context.lineTo(right, y(floor.at(-1)));
      for (let i = floor.length - 1; i >= 0; i--) context.lineTo(x(first + i), y(floor[i]));
      context.fillStyle = color(id);
      context.globalAlpha = hidden.has(id) ? 0.12 : 1;
      context.fill();
      floor.set(top);
    }
  }
  context.globalAlpha = 1;
}

function knownParts(shares, columns, count) {
  const parts = [];
  let first = -1;
  for (let column = 0; column <= columns; column++) {
    const known = column < columns && shares.subarray(column * count, (column + 1) * count).some((share) => share);
    if (known && first < 0) first = column;
    if (!known && first >= 0) {
      parts.push([first, column]);
      first = -1;
    }
  }
  return parts;
}
