// What moves time: a video that plays, or single pictures where the browser cannot play it. Both tell `shown` the time
// of the frame that is on the screen, in seconds from the video's first frame.

export class PlayedClock {
  constructor(video, { shown, changed, failed }) {
    this.video = video;
    this.shown = shown;
    this.origin = null; // media time of the first frame: not 0 in every file
    this.wanted = null;
    video.addEventListener("play", changed);
    video.addEventListener("pause", changed);
    video.addEventListener("ended", changed);
    video.addEventListener("error", () => failed(video.error?.message || "the browser cannot play this file"));
    video.addEventListener("seeked", () => setTimeout(() => this.#arrived(), 200));
    if ("requestVideoFrameCallback" in video) {
      const frame = (_, { mediaTime }) => {
        this.#frame(mediaTime);
        video.requestVideoFrameCallback(frame);
      };
      video.requestVideoFrameCallback(frame);
    } else {
      const tick = () => {
        if (video.readyState >= 2) this.#frame(video.currentTime);
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }
    // A first frame that begins late is not always told of: then it is where the file says.
    video.addEventListener("loadeddata", () => {
      setTimeout(() => this.origin === null && this.#frame(Math.max(0, Number(video.dataset.origin))), 800);
    });
    video.src = video.dataset.src; // only now: its first frame tells where time begins, and is told once
  }

  #frame(mediaTime) {
    this.told = true;
    if (this.origin === null) {
      this.origin = mediaTime;
      if (this.wanted !== null) return this.seek(this.wanted);
    }
    this.time = mediaTime - this.origin;
    this.shown(this.time);
  }

  time = 0;

  get paused() {
    return this.video.paused;
  }

  seek(seconds) {
    this.wanted = seconds;
    this.tries = 3;
    this.#go();
  }

  #go() {
    if (this.origin === null) return;
    this.told = false;
    // A little into the frame: its own time, rounded, may still lie in the one before.
    this.video.currentTime = this.wanted + this.origin + 5e-4;
  }

  // A browser that does not know the length yet goes less far than it was told, and not every frame that is sought is
  // told of.
  #arrived() {
    const { video } = this;
    if (!video.paused || video.seeking || this.origin === null || this.wanted === null) return;
    if (Math.abs(video.currentTime - this.wanted - this.origin) > 0.01 && this.tries-- > 0) this.#go();
    else if (!this.told) this.#frame(video.currentTime);
  }

  play() {
    this.video.play().catch(() => {});
  }

  pause() {
    this.video.pause();
  }

  rate(value) {
    this.video.playbackRate = value;
  }
}

export class StillClock {
  constructor(image, id, seconds, { shown, changed, failed }) {
    Object.assign(this, { image, id, seconds, shown, changed, failed });
    this.speed = 1;
    this.time = 0;
    this.paused = true;
    this.wanted = null;
    this.busy = false;
  }

  seek(seconds) {
    this.wanted = Math.min(Math.max(seconds, 0), this.seconds);
    if (!this.busy) this.#next();
  }

  async #next() {
    this.busy = true;
    while (this.wanted !== null) {
      const seconds = this.wanted;
      this.wanted = null;
      const picture = new Image();
      picture.src = `/still/${this.id}?t=${seconds.toFixed(4)}`;
      try {
        await picture.decode();
        this.image.src = picture.src;
        this.time = seconds;
        this.shown(seconds);
      } catch {
        this.paused = true;
        this.changed();
        this.failed(`there is no picture at ${seconds.toFixed(2)} s`);
        this.time = seconds;
        this.shown(seconds);
      }
    }
    this.busy = false;
  }

  play() {
    this.paused = false;
    this.changed();
    let last = performance.now();
    let at = this.time >= this.seconds - 0.05 ? 0 : this.time;
    const tick = (now) => {
      if (this.paused) return;
      at += ((now - last) / 1000) * this.speed;
      last = now;
      if (at >= this.seconds) return this.pause();
      if (!this.busy) this.seek(at);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    this.paused = true;
    this.changed();
  }

  rate(value) {
    this.speed = value;
  }
}
