// Cards from data; everything that is text becomes a text node.
const made = (tag, name, text) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
};

const picture = (source) => {
  const frame = made("span", "picture");
  if (!source) {
    frame.append(made("span", "nothing", "no picture"));
    return frame;
  }
  const image = made("img");
  image.loading = "lazy";
  image.alt = "";
  image.addEventListener("load", () => {
    if (Math.max(image.naturalWidth, image.naturalHeight) <= 96) image.classList.add("tiny");
  });
  image.addEventListener("error", () => frame.replaceChildren(made("span", "nothing", "picture not found")));
  image.src = source;
  frame.append(image);
  return frame;
};

const card = (one, open) => {
  const button = made("button", `card ${one.band}`);
  button.type = "button";
  button.dataset.id = one.id;
  button.append(picture(one.picture));
  const body = made("span", "body");
  body.append(made("span", "text", one.text));
  const scores = made("span", "scores");
  const badge = made("span", "band", one.band === "unscored" ? "unscored" : `${one.band} ${one.difficulty}`);
  badge.title = "difficulty S (eq. 6)";
  const pair = made("span", "pair", one.band === "unscored" ? "" : `teacher ${one.teacher} · student ${one.student}`);
  scores.append(badge, pair);
  body.append(scores);
  const facts = made("span", "facts", [`#${one.id}`, one.type, one.born].filter(Boolean).join(" · "));
  body.append(facts);
  if (one.marks.length) {
    const marks = made("span", "marks");
    for (const mark of one.marks) marks.append(made("span", "mark", mark));
    body.append(marks);
  }
  button.append(body);
  button.addEventListener("click", () => open(one.id));
  return button;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const grid = made("div", "grid");
  for (const one of data.cards) grid.append(card(one, (id) => setTriggerValue("open", id)));
  parentElement.querySelector(".grid")?.remove();
  parentElement.append(grid);
}
