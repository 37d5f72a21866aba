// What the tests ask JupyterLab, in every page that they open. `path` is that of a notebook.
window.seat = {
  timesPointed: 0, // with the mouse
  runs: [], // cells that are about to run, or have run
  panel(path) {
    const open = [...(window.jupyterapp?.shell.widgets("main") ?? [])];
    return open.find((widget) => widget.context?.path === path && widget.content?.widgets);
  },

  kernelStatus(path) {
    const session = seat.panel(path)?.sessionContext;
    return session?.isReady ? session.session?.kernel?.status : undefined;
  },

  // The notebook is in front, and its kernel waits for work. Not earlier: without a kernel, running
  // a cell opens a dialog that asks for one.
  isReady(path) {
    const isInFront = window.jupyterapp?.shell.currentWidget === seat.panel(path);
    return isInFront && seat.kernelStatus(path) === "idle";
  },

  cell(cell, index) {
    const model = cell.model;
    return {
      index,
      id: model.id,
      type: model.type,
      source: model.sharedModel.getSource(),
      tags: model.getMetadata("tags") ?? [],
      count: model.executionCount ?? null,
      errors: seat.errors(model),
    };
  },

  cells(path) {
    return seat.panel(path).content.widgets.map(seat.cell);
  },

  find(path, id) {
    const cells = seat.panel(path).content.widgets;
    const index = cells.findIndex((cell) => cell.model.id === id);
    return index < 0 ? null : seat.cell(cells[index], index);
  },

  // Make JupyterLab look for a widget that it does not find, in the place of the one in a cell.
  loseWidget(path, id) {
    const cell = seat.panel(path).content.widgets.find((cell) => cell.model.id === id);
    const parts = cell.outputArea.widgets.flatMap((output) => [...output.widgets]);
    const shown = parts.find((part) => part.renderModel && part.node.querySelector("input"));
    return shown.renderModel({ data: { [shown.mimeType]: { model_id: "nobody's" } } });
  },

  active(path) {
    const content = seat.panel(path).content;
    return seat.cell(content.activeCell, content.activeCellIndex);
  },

  // Note when a cell is about to run, and has run: it then gets a count. The same count as before
  // would say nothing, as a new kernel begins at 1.
  watch(path, id) {
    const model = seat.panel(path).content.widgets.find((cell) => cell.model.id === id).model;
    const run = { model, isDone: false };
    run.note = (_, change) => {
      if (change.name === "executionCount" && change.newValue !== null) run.isDone = true;
    };
    model.stateChanged.connect(run.note);
    seat.runs.push(run);
  },

  // Whether all cells that are watched have run. An empty cell does not run, and an error takes
  // those that wait from the queue.
  isDone(path) {
    const prompts = [...seat.panel(path).node.querySelectorAll(".jp-InputPrompt")];
    if (prompts.some((prompt) => prompt.textContent.includes("*"))) return false;
    if (seat.kernelStatus(path) !== "idle") return false;
    const isEmpty = (run) => !run.model.sharedModel.getSource().trim();
    const hasRun = (run) => run.isDone || isEmpty(run);
    return seat.runs.some((run) => seat.errors(run.model).length) || seat.runs.every(hasRun);
  },

  // Watch no cell any more, and return the errors of those that were watched.
  unwatch() {
    const runs = seat.runs;
    seat.runs = [];
    for (const run of runs) run.model.stateChanged.disconnect(run.note);
    return runs.flatMap((run) => seat.errors(run.model));
  },

  // Only an error is made into JSON: that of all the pictures in a lesson takes a while.
  errors(model) {
    const found = [];
    for (let index = 0; index < (model.outputs?.length ?? 0); index++) {
      const output = model.outputs.get(index);
      if (output.type !== "error") continue;
      const { ename, evalue } = output.toJSON();
      found.push(`${ename}: ${evalue}`);
    }
    return found;
  },

  isSaved(path) {
    return !seat.panel(path).context.model.dirty;
  },

  async setTheme(theme) {
    await jupyterapp.commands.execute("apputils:change-theme", { theme });
  },
};
window.addEventListener("pointerdown", () => (seat.timesPointed += 1), true);

// Nothing blinks and nothing turns: a page draws sixty frames a second for that, and here each of
// them is computed by a processor that the lesson needs.
window.addEventListener("DOMContentLoaded", () => {
  const style = document.createElement("style");
  style.textContent = "*, ::before, ::after { animation: none !important; transition: none !important; }";
  document.head.append(style);
});
