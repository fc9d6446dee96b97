"""nginx, which serves an answer that lies in a folder."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path


@contextlib.contextmanager
def nginx(
    folder: str,
    *,
    name: str = "answer.json",
    coding: str | None = None,
    others: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Serve a file of a folder on a free port, and give the URL.

    Args:
        folder: Where it lies, and where nginx may write.
        name: What it is called.
        coding: How it is compressed; it goes out so to everybody.
        others: Other files of the folder, by the end of the path that they answer.
    """
    if shutil.which("nginx") is None:
        sys.exit("nginx is not installed; it is the server of this benchmark")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    says = f"add_header Content-Encoding {coding};" if coding else ""
    # nginx has no POST for files: it becomes a GET of the file, by its own name.
    apart = " ".join(
        f"location ~* {end}$ {{ error_page 405 =200 /{file}; root {folder}; "
        f"try_files /{file} =404; }} location = /{file} {{ root {folder}; }}"
        for end, file in (others or {}).items()
    )
    Path(folder, "nginx.conf").write_text(
        f"""
        daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
        user root;
        events {{ worker_connections 1024; }}
        http {{
          access_log off; types {{}} keepalive_requests 100000000; keepalive_timeout 75;
          open_file_cache max=10; default_type application/json; sendfile on;
          client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
          fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
          scgi_temp_path {folder}/s;
          server {{
            listen 127.0.0.1:{port};
            error_page 405 =200 $uri;
            {apart}
            location / {{ alias {folder}/; try_files {name} =404; {says} }}
          }}
        }}
        """
    )
    command = ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"]
    with subprocess.Popen(command) as process:
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
