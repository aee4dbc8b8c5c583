import { keys } from "./keys.js";
import { mover } from "./move.js";

const move = mover(() => [...document.querySelectorAll(".card")]);
const acrossRow = () => {
  const cards = [...document.querySelectorAll(".card")];
  const top = cards[0]?.getBoundingClientRect().top;
  return Math.max(1, cards.findIndex((card) => card.getBoundingClientRect().top > top + 1));
};
keys({
  j: () => move(1), k: () => move(-1), ArrowRight: () => move(1), ArrowLeft: () => move(-1),
  ArrowDown: () => move(acrossRow()), ArrowUp: () => move(-acrossRow()),
});
