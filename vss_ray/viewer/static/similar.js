// Moments that look like the one on the screen.

import { format } from "./time.js";

export async function findSimilar(id, seconds) {
  const list = document.getElementById("moments");
  list.replaceChildren(note("Looking …"));
  const answer = await fetch(`/similar/${id}?t=${seconds.toFixed(4)}`);
  const content = await answer.json();
  if (!answer.ok) return list.replaceChildren(note(content.problem));
  list.replaceChildren(...content.moments.map((moment) => similarItem(moment, id)));
  if (!content.moments.length) list.replaceChildren(note("Nothing like it."));
}

function note(text) {
  const item = document.createElement("li");
  item.className = "faint";
  item.textContent = text;
  return item;
}

function similarItem({ video_id: video, name, seconds: at, score: alike }, id) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `/video/${video}#t=${at.toFixed(3)}`;
  const picture = document.createElement("img");
  picture.src = `/thumbnail/${video}?t=${at.toFixed(4)}`;
  picture.alt = `${name} at ${format(at)}`;
  picture.loading = "lazy";
  const words = document.createElement("span");
  words.textContent = video === id ? format(at) : `${name} ${format(at)}`;
  const score = document.createElement("span");
  score.className = "faint";
  score.textContent = `${(alike * 100).toFixed(0)} % alike`;
  link.append(picture, words, score);
  item.append(link);
  return item;
}
