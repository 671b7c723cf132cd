// One listener a page: the component is mounted anew whenever its data change.
const typing = (target) =>
  target instanceof Element &&
  (target.isContentEditable || target.closest("input, textarea, select, [role=combobox], [role=slider]"));

export default function ({ data, setTriggerValue }) {
  const heard = (event) => {
    const [target] = event.composedPath();
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || typing(target)) return;
    if (!data.names.includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    setTriggerValue("pressed", event.key);
  };
  document.addEventListener("keydown", heard, true);
  return () => document.removeEventListener("keydown", heard, true);
}
