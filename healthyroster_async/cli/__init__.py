"""The ``healthyroster`` command, one module per subcommand."""
