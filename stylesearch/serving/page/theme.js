// Runs before the first paint, so that a chosen theme does not flash in after it; not a module for that reason.
(() => {
  const KEY = "stylesearch-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  function stored() {
    try {
      const theme = localStorage.getItem(KEY);
      return theme === "light" || theme === "dark" ? theme : null;
    } catch {
      return null; // storage is forbidden in this browser: the system's theme it is
    }
  }

  function store(theme) {
    try {
      if (theme === null) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // as above: the choice lasts until the page is left
    }
  }

  function inForce() {
    return root.dataset.theme ?? (system.matches ? "dark" : "light");
  }

  const chosen = stored();
  if (chosen) root.dataset.theme = chosen;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = document.getElementById("theme-name");
    const say = () => {
      name.textContent = inForce() === "dark" ? "Light theme" : "Dark theme";
    };
    button.addEventListener("click", () => {
      const other = inForce() === "dark" ? "light" : "dark";
      const asSystem = other === (system.matches ? "dark" : "light");
      // Back to what the system says: from then on the page follows it again.
      if (asSystem) delete root.dataset.theme;
      else root.dataset.theme = other;
      store(asSystem ? null : other);
      say();
    });
    system.addEventListener("change", say);
    say();
  });
})();
