// Starts Swagger UI, and lets it follow the theme of the page.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function followTheme() {
    root.classList.toggle("dark-mode", (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark");
  }

  followTheme();
  system.addEventListener("change", followTheme);
  new MutationObserver(followTheme).observe(root, { attributeFilter: ["data-theme"] });

  const calls = document.getElementById("calls");
  const ui = window.SwaggerUIBundle({
    domNode: calls,
    url: new URL("openapi.json", document.baseURI).href,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    validatorUrl: null, // nothing is asked of another server
    onComplete() {
      const title = ui.specSelectors.info().get("title");
      document.getElementById("brand").textContent = title;
      document.title = `${title} API`;
      calls.setAttribute("aria-busy", "false");
    },
  });
})();
