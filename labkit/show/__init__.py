"""Numbers, tables, figures and sliders. This part imports nothing from the rest of labkit."""
