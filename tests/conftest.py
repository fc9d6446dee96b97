"""What every test can rely on."""

import signal

# A shell lets its background jobs ignore Ctrl-C, and children inherit that. A handler
# is not inherited, so the commands that tests start begin with the default again.
signal.signal(signal.SIGINT, signal.default_int_handler)
