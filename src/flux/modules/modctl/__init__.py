"""Which modules belong on which ranks: said once, true for whoever joins later."""
