"""How far several machines go: a model with measured costs, held against what was measured elsewhere."""
