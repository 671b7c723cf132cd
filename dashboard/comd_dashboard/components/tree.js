// A nested list from nodes that come parents first; everything that is text becomes a text node.
const made = (tag, name, text) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
};

const line = (node, open) => {
  const button = made("button", node.here ? "node here" : "node");
  button.type = "button";
  button.dataset.id = node.id;
  button.append(made("span", "text", node.text));
  const below = made("span", "below");
  below.append(made("span", "facts", node.facts));
  for (const score of node.scores) {
    const chip = made("span", `score ${score.band}`, score.text);
    chip.title = score.title;
    below.append(chip);
  }
  button.append(below);
  if (node.here) button.setAttribute("aria-current", "true");
  else button.addEventListener("click", () => open(node.id));
  return button;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const root = made("ul", "tree");
  const lists = new Map();
  for (const node of data.nodes) {
    const item = made("li");
    const children = made("ul");
    item.append(line(node, (id) => setTriggerValue("open", id)), children);
    (lists.get(node.parent) ?? root).append(item);
    lists.set(node.id, children);
  }
  parentElement.querySelector(".tree")?.remove();
  parentElement.append(root);
}
