"""The seam between the rules and the network."""
