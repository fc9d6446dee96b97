"""Sans-I/O core: values, rules and arithmetic; no sockets, clocks or tasks."""
