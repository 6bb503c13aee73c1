// Plays two clips in step, again and again.

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const DRIFT = 0.05; // seconds
const REST = 700; // milliseconds between two rounds
const PATIENCE = 1500; // milliseconds to wait for both

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Player {
  constructor(cards, timeline, onSpeed) {
    this.cards = cards;
    this.videos = cards.map((card) => card.querySelector("video"));
    this.timeline = timeline;
    this.onSpeed = onSpeed;
    this.speed = SPEEDS.indexOf(Number(localStorage.getItem("speed")));
    if (this.speed < 0) this.speed = SPEEDS.indexOf(1);
    this.round = null;
    this.plays = 0;
    for (const video of this.videos) {
      video.addEventListener("ended", () => this.#ended());
      video.addEventListener("click", () => this.replay());
      video.addEventListener("loadedmetadata", () => this.#fit(video));
    }
    this.changeSpeed(0);
    requestAnimationFrame(() => this.#tick());
  }

  // `urls` holds an object URL for each clip, or null where there is none.
  show(urls) {
    clearTimeout(this.round);
    this.videos.forEach((video, i) => {
      this.cards[i].querySelector(".empty").hidden = urls[i] !== null;
      video.hidden = urls[i] === null;
      if (urls[i] === null) video.removeAttribute("src");
      else video.src = urls[i];
    });
    this.replay();
  }

  // Starts both at once, when both can play.
  async replay() {
    clearTimeout(this.round);
    const play = ++this.plays;
    const shown = this.#shown();
    for (const video of shown) {
      video.pause();
      video.currentTime = 0;
    }
    await Promise.all(shown.map(ready));
    if (play !== this.plays) return; // stopped or started again meanwhile
    for (const video of shown) {
      video.playbackRate = SPEEDS[this.speed];
      video.play().catch(() => {}); // as when a new clip has come
    }
  }

  stop() {
    clearTimeout(this.round);
    this.plays += 1;
    for (const video of this.videos) video.pause();
  }

  changeSpeed(step) {
    this.speed = Math.max(0, Math.min(SPEEDS.length - 1, this.speed + step));
    localStorage.setItem("speed", SPEEDS[this.speed]);
    for (const video of this.videos) video.playbackRate = SPEEDS[this.speed];
    this.onSpeed(SPEEDS[this.speed]);
  }

  #shown() {
    return this.videos.filter((video) => !video.hidden);
  }

  // Both cards take the shape of the clips.
  #fit(video) {
    const ratio = `${video.videoWidth} / ${video.videoHeight}`;
    for (const card of this.cards) card.style.aspectRatio = ratio;
  }

  #ended() {
    if (!this.#shown().every((video) => video.ended) || calm.matches) return;
    clearTimeout(this.round);
    this.round = setTimeout(() => this.replay(), REST);
  }

  #tick() {
    const [leader, follower] = this.#shown();
    const running = (video) => video && !video.paused && !video.ended;
    if (running(leader) && running(follower)
        && Math.abs(leader.currentTime - follower.currentTime) > DRIFT) {
      follower.currentTime = leader.currentTime;
    }
    const share = leader && leader.duration ? leader.currentTime / leader.duration : 0;
    this.timeline.style.transform = `scaleX(${share})`;
    requestAnimationFrame(() => this.#tick());
  }
}

// Some browsers load no more than the length until they shall play, hence the limit.
function ready(video) {
  if (video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA || video.error) return null;
  return new Promise((resolve) => {
    for (const event of ["canplay", "error"]) {
      video.addEventListener(event, resolve, { once: true });
    }
    setTimeout(resolve, PATIENCE);
  });
}
