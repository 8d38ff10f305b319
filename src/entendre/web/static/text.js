// The page's words: one JSON file per language, none in code.

let words = {};

const ALSO = { tl: "fil" }; // an older tag that browsers still send

function baseOf(tag) {
  const base = tag.toLowerCase().split("-")[0];
  return ALSO[base] ?? base;
}

// Loads the first language that is wanted and known: of the address, of the browser, of the server. Returns what to talk
// in: that, or all those of the server where it is one of them and nobody asked for one.
export async function loadText(languages, spoken) {
  const asked = new URLSearchParams(location.search).get("lang");
  const wanted = [...(asked ? [asked] : []), ...navigator.languages, ...spoken.split(","), "en"].map(baseOf);
  const language = wanted.find((tag) => tag in languages) ?? Object.keys(languages)[0];
  words = await (await fetch(`/static/text.${language}.json`)).json();
  document.documentElement.lang = text("tag");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = text(element.dataset.placeholder);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", text(element.dataset.label));
  return { language, talk: !asked && spoken.split(",").map(baseOf).includes(language) ? spoken : language };
}

// A choice of the languages, each by its own name; choosing opens the page in it.
export function offerLanguages(select, languages, chosen) {
  for (const [tag, name] of Object.entries(languages)) select.append(new Option(name, tag, false, tag === chosen));
  select.parentElement.hidden = select.options.length < 2;
  select.addEventListener("change", () => {
    const address = new URL(location.href);
    address.searchParams.set("lang", select.value);
    location.assign(address);
  });
}

export function known(name) {
  return name in words;
}

export function text(name, values = {}) {
  const found = words[name] ?? name;
  if (typeof found !== "string") return found;
  return found.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}
