// A prebuilt extension for JupyterLab 4, written by hand, so that nothing has to be built.
//
// JupyterLab loads this file and looks in window._JUPYTERLAB for a container with two functions,
// `init` and `get`, as module federation makes them. The extension needs no module of JupyterLab:
// it uses only what the application hands to a plugin. Where something is missing, it leaves
// JupyterLab as it is.
//
// - A cell with one of the tags below gets a CSS class; lessons.css gives it its look. Nothing is
//   written into a notebook.
// - A link that names a cell makes it the active one.
// - A slider that JupyterLab says it cannot find, when a saved lesson is opened, is looked for again.
// - The start page is asked for again whenever it is shown, as its content changes with what the
//   learner does.

(() => {
  "use strict";

  const NAME = "labkit-lessons";
  const TAGS = ["exercise", "solution", "scaffold", "reading"];
  const START_PAGE = "README.md";
  const SECONDS_BETWEEN_LOOKS = 15;
  const SECONDS_BETWEEN_SEARCHES = 2;
  const SEARCHES = 60;
  const NOT_FOUND = "Error displaying widget: model not found";
  const FOLDER = new URL(".", document.currentScript.src).href;

  // ---- cells ----

  function markCell(cell) {
    const tags = cell.model?.getMetadata?.("tags");
    for (const tag of TAGS) {
      const hasTag = Array.isArray(tags) && tags.includes(tag);
      cell.node.classList.toggle(`labkit-${tag}`, hasTag);
    }
  }

  // Cells are added, moved and replaced while a notebook is open, and their tags can change.
  function followCells(notebook) {
    const followed = new WeakSet();

    function markAll() {
      for (const cell of notebook.widgets) {
        markCell(cell);
        if (!followed.has(cell)) {
          followed.add(cell);
          cell.model.metadataChanged.connect(guarded(() => markCell(cell)));
        }
      }
    }

    // The notebook makes the widget of a new cell while it handles the same signal.
    const markSoon = guarded(() => requestAnimationFrame(guarded(markAll)));

    function followModel() {
      notebook.model?.cells.changed.connect(markSoon);
      markSoon();
    }

    notebook.modelChanged.connect(guarded(followModel));
    followModel();
  }

  // JupyterLab scrolls to the cell that a link names, but does not always make it the active one:
  // Shift+Enter would then run the cell that was active before.
  function activateLinkedCell(panel, context) {
    const setFragment = panel.setFragment.bind(panel);

    function activate(fragment) {
      const id = /^#cell-id=(.+)$/.exec(fragment)?.[1];
      const index = panel.content.widgets.findIndex((cell) => cell.model.id === id);
      if (index >= 0) {
        panel.content.deselectAll();
        panel.content.activeCellIndex = index;
      }
    }

    panel.setFragment = (fragment) => {
      setFragment(fragment);
      context.ready.then(guarded(() => activate(fragment)));
    };
  }

  // ---- sliders of a saved lesson ----

  // The widget manager waits two seconds for a saved model. Where the page is busy for as long, it
  // gives up at the moment in which the models arrive, and never looks again.
  function findWidgetsAgain(panel) {
    let left = SEARCHES;

    function look() {
      left -= 1;
      if (left === 0 || panel.isDisposed) {
        clearInterval(timer);
        return;
      }
      for (const cell of panel.content.widgets) {
        renderAgain(cell.outputArea);
      }
    }

    const timer = setInterval(guarded(look), SECONDS_BETWEEN_SEARCHES * 1000);
  }

  function renderAgain(outputArea) {
    outputArea?.widgets.forEach((output, index) => {
      for (const part of output.widgets ?? []) {
        if (part.renderModel && part.node.textContent === NOT_FOUND) {
          part.renderModel(outputArea.model.get(index)).catch(report);
        }
      }
    });
  }

  // ---- the start page ----

  async function refresh(app, context) {
    const settings = app.serviceManager.serverSettings;
    const headers = settings.token ? { Authorization: `token ${settings.token}` } : {};
    const answer = await fetch(`${settings.baseUrl}labkit/start-page`, { headers });
    if (!answer.ok || context.isDisposed || context.model.dirty) {
      return;
    }
    const text = await answer.text();
    if (text !== context.model.toString()) {
      await context.revert(); // reads the file, which the server has just written
    }
  }

  function followStartPage(app, page, context) {
    page.addClass("labkit-start");
    const look = guarded(async () => {
      if (page.isVisible && !document.hidden && context.isReady) {
        await refresh(app, context);
      }
    });
    const timer = setInterval(look, SECONDS_BETWEEN_LOOKS * 1000);
    document.addEventListener("visibilitychange", look);
    app.shell.currentChanged?.connect(look);
    page.disposed.connect(() => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
      app.shell.currentChanged?.disconnect(look);
    });
    context.ready.then(look);
  }

  // ---- what JupyterLab asks for ----

  // A lesson must work whatever happens here: an error is a line in the console and no more.
  function guarded(step) {
    return (...values) => {
      try {
        Promise.resolve(step(...values)).catch(report);
      } catch (error) {
        report(error);
      }
    };
  }

  function report(error) {
    console.warn(`${NAME}:`, error);
  }

  function activate(app) {
    app.docRegistry.addWidgetExtension("Notebook", {
      createNew: guarded((panel, context) => {
        followCells(panel.content);
        activateLinkedCell(panel, context);
        findWidgetsAgain(panel);
      }),
    });
    app.docRegistry.addWidgetExtension("Markdown Preview", {
      createNew: guarded((page, context) => {
        if (context.path === START_PAGE) {
          followStartPage(app, page, context);
        }
      }),
    });
  }

  function addStyle() {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = `${FOLDER}lessons.css`;
    document.head.append(link);
  }

  const modules = {
    "./extension": () => ({
      __esModule: true,
      default: { id: `${NAME}:plugin`, autoStart: true, activate: guarded(activate) },
    }),
    "./style": () => {
      addStyle();
      return {};
    },
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init: async () => {},
    get: async (name) => modules[name],
  };
})();
