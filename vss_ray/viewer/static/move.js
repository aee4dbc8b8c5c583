// Going through a list of links with j and k or the arrows.

export function mover(links) {
  return (step) => {
    const all = links();
    if (!all.length) return;
    const here = all.indexOf(document.activeElement);
    const next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + step, 0), all.length - 1)];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
}
