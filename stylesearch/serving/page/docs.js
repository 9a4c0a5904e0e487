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

  // Fields of a form begin empty, or with their default, and empty ones are not sent. By itself Swagger UI makes
  // up texts from patterns, and sends all.
  function emptyFields({ fn }) {
    const sample = fn.getSampleSchema;
    return {
      fn: {
        getSampleSchema(schema, type, ...rest) {
          const isField = type === false && schema.get("type") === "string" && !schema.has("default");
          return isField ? "" : sample(schema, type, ...rest);
        },
      },
      wrapComponents: {
        ParameterIncludeEmpty:
          (Original, { React }) =>
          (props) =>
            React.createElement(Original, {
              ...props,
              isIncludedOptions: { ...props.isIncludedOptions, defaultValue: false },
            }),
      },
    };
  }

  // What was typed into a form is no JSON, and the other way round.
  function freshBody() {
    return {
      statePlugins: {
        oas3: {
          wrapActions: {
            setRequestContentType: (original, system) => (change) => {
              const action = original(change);
              system.oas3Actions.setRequestBodyValue({ value: undefined, pathMethod: change.pathMethod });
              return action;
            },
          },
        },
      },
    };
  }

  const calls = document.getElementById("calls");
  const ui = window.SwaggerUIBundle({
    domNode: calls,
    url: new URL("openapi.json", document.baseURI).href,
    deepLinking: true,
    plugins: [emptyFields, freshBody],
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
