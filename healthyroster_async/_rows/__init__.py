"""Row streams: bytes in, rows out, in bounded memory."""
