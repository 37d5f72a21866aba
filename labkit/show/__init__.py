"""How a result looks: numbers, tables, figures, sliders. This part knows nothing of the rest of labkit."""
