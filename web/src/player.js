/** The time slider of a word, and the buttons that play the word. */

import { make, part } from "./dom.js";
import { visible } from "./text.js";

/**
 * Milliseconds per character.
 * @type {Record<string, number>}
 */
const SPEEDS = { slow: 1100, normal: 500, fast: 140 };

/**
 * Makes the player.
 * @param {(time: number) => void} show shows a time of the word
 * @param {() => Promise<void>} follow shows the start of the next name; an error stops the player
 */
export function player(show, follow) {
  const slider = part("time", HTMLInputElement);
  const play = part("play", HTMLButtonElement);
  const speed = part("speed", HTMLSelectElement);
  let length = 0;
  let time = 0;
  let timer = 0;
  let isPlaying = false;
  let isOnce = false;
  const status = part("status", HTMLElement);

  /** @param {number} to */
  function go(to) {
    time = Math.min(Math.max(to, 0), length);
    slider.value = String(time);
    show(time);
  }

  function stop() {
    isPlaying = false;
    clearTimeout(timer);
    status.ariaLive = "polite";
    play.textContent = "Play";
  }

  function wait() {
    clearTimeout(timer);
    const pause = SPEEDS[speed.value];
    timer = window.setTimeout(tick, time === length ? 3 * pause : pause);
  }

  async function tick() {
    if (time < length) go(time + 1);
    else if (isOnce) stop();
    else await follow();
    if (isPlaying) wait();
  }

  /** @param {boolean} once stops at the end of the word */
  function start(once) {
    isPlaying = true;
    isOnce = once;
    // A screen reader would read each step.
    status.ariaLive = "off";
    play.textContent = "Pause";
    wait();
  }

  play.addEventListener("click", () => {
    if (isPlaying) stop();
    else start(false);
  });
  slider.addEventListener("input", () => {
    stop();
    go(Number(slider.value));
  });
  part("back", HTMLButtonElement).addEventListener("click", () => {
    stop();
    go(time - 1);
  });
  part("on", HTMLButtonElement).addEventListener("click", () => {
    stop();
    if (time < length) go(time + 1);
    else follow();
  });

  return {
    stop,
    go,
    start,
    /** @returns {number} the shown time */
    time: () => time,
    /**
     * Sets the word of the slider.
     * @param {string[]} characters
     */
    load(characters) {
      length = characters.length;
      slider.max = String(length);
      // Long words have room for only some of the characters below the slider.
      const every = Math.ceil((length + 1) * 13 / Math.max(slider.clientWidth, 200));
      part("ticks", HTMLElement).replaceChildren(...["start", ...characters].map((character, at) =>
        make("span", at === 0 ? { class: "start" } : {}, at === 0 ? "\u2219" : at % every ? "" : visible(character))));
    },
    /** Marks the characters that the model has read. */
    mark() {
      Array.from(part("ticks", HTMLElement).children).forEach((tick, at) => {
        tick.classList.toggle("read", at <= time);
        tick.classList.toggle("newest", at === time);
      });
    },
  };
}
