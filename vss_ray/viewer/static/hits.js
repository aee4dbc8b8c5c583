// The answers to the question that led here, and the way from one to the next.

export class Hits {
  constructor(id, query) {
    Object.assign(this, { id, query, all: [], here: [] });
  }

  // Ask; the problem in words, or nothing.
  async load() {
    if (!this.query) return "";
    const answer = await fetch(`/hits?${new URLSearchParams({ q: this.query })}`);
    const content = await answer.json();
    if (!answer.ok) return content.problem.split("\n")[0];
    this.all = content.hits;
    this.here = this.all.filter((hit) => hit.video_id === this.id);
    return `${this.here.length} of ${this.all.length} spans: ${this.query}`;
  }

  // The next hit (by = 1) or the one before (-1), seen from a moment of this video.
  from(seconds, by) {
    const mine = this.all.map((hit, number) => ({ ...hit, number })).filter((hit) => hit.video_id === this.id);
    if (!mine.length) return this.all.at(by > 0 ? 0 : -1);
    const inside = mine.find(({ start, end }) => start <= seconds + 1e-3 && seconds < end - 1e-3);
    if (inside) return this.all[inside.number + by];
    const next = by > 0 ? mine.find(({ start }) => start > seconds) : mine.findLast(({ end }) => end <= seconds + 1e-3);
    return next ?? this.all[by > 0 ? mine.at(-1).number + 1 : mine[0].number - 1];
  }

  address({ video_id: video, peak_seconds: at }) {
    return `/video/${video}?${new URLSearchParams({ q: this.query })}#t=${at.toFixed(3)}`;
  }
}
