// The page's words: one JSON file per language, none in code.

let words = {};

export async function loadText(languages, fallback) {
  const wanted = [...navigator.languages.map((tag) => tag.split("-")[0]), fallback, "en"];
  const language = wanted.find((tag) => languages.includes(tag)) ?? languages[0];
  words = await (await fetch(`/static/text.${language}.json`)).json();
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = text(element.dataset.placeholder);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", text(element.dataset.label));
}

export function text(name, values = {}) {
  const found = words[name] ?? name;
  if (typeof found !== "string") return found;
  return found.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}
