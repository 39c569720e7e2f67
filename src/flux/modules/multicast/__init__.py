"""One request to many ranks: down the tree once per edge, the answers merged on their way back."""
