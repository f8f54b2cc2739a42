// Small conveniences. Every page does its work without them.
const root = document.documentElement;

function isDark() {
  if (root.dataset.theme === "dark") return true;
  return root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches;
}

function switchTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not remembered */ }
}

async function copyFrom(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector("span");
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    label.textContent = button.dataset.done;
    button.classList.add("done");
  } catch {
    getSelection().selectAllChildren(source);
  }
  setTimeout(() => { label.textContent = before; button.classList.remove("done"); }, 1800);
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-switch], [data-copy], [data-dialog], [data-close], [data-print], [data-open-all]");
  if (!target) {
    for (const open of document.querySelectorAll("details.dropdown[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
    return;
  }
  if ("themeSwitch" in target.dataset) switchTheme();
  else if (target.dataset.copy) copyFrom(target);
  else if (target.dataset.dialog) {
    const dialog = document.getElementById(target.dataset.dialog);
    if (dialog && dialog.showModal) { event.preventDefault(); dialog.showModal(); }
  } else if ("close" in target.dataset) {
    const dialog = target.closest("dialog");
    if (dialog) { event.preventDefault(); dialog.close(); }
  } else if ("print" in target.dataset) { event.preventDefault(); print(); }
  else if (target.dataset.openAll) {
    const all = [...document.querySelectorAll(target.dataset.openAll)];
    const open = all.some((one) => !one.open);
    for (const one of all) one.open = open;
    target.setAttribute("aria-pressed", String(open));
  }
});

// Of tabs that do not all fit, the one that is open is seen.
for (const here of document.querySelectorAll(".tabs [aria-current]")) {
  here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;
}

// On paper everything is open, and afterwards as it was.
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("main details:not([open])")) { one.dataset.closed = "yes"; one.open = true; }
});
addEventListener("afterprint", () => {
  for (const one of document.querySelectorAll("details[data-closed]")) { delete one.dataset.closed; one.open = false; }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.dropdown[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// A form is sent once, however often its button is pressed; coming back by history makes it usable again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

function drawTip(box, data, format, bar) {
  const tip = box.querySelector(".tip");
  const index = Number(bar.dataset.i);
  const day = document.createElement("b");
  day.textContent = data.labels[index];
  tip.replaceChildren(day);
  for (const series of data.series) {
    const line = document.createElement("p");
    const swatch = document.createElement("i");
    const value = document.createElement("span");
    swatch.className = `swatch ${series.kind}`;
    value.textContent = format.format(series.values[index]);
    line.append(swatch, series.name, value);
    tip.append(line);
  }
  tip.hidden = false;
  const barBox = bar.getBoundingClientRect();
  const whole = box.getBoundingClientRect();
  const left = barBox.left - whole.left;
  const fits = left + barBox.width + tip.offsetWidth + 12 < whole.width;
  tip.style.transform = `translate(${fits ? left + barBox.width + 8 : left - tip.offsetWidth - 8}px, 10px)`;
}

for (const box of document.querySelectorAll("[data-chart]")) {
  const data = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  const format = new Intl.NumberFormat(root.lang);
  box.addEventListener("pointermove", (event) => {
    const bar = event.target.closest(".chart-bar");
    if (bar) drawTip(box, data, format, bar);
  });
  box.addEventListener("pointerleave", () => { box.querySelector(".tip").hidden = true; });
}
