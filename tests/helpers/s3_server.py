"""A local S3 server (moto) that counts its requests and can refuse or fail them."""

import logging
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

#: credentials that moto accepts
CREDENTIALS = {"key": "testing", "secret": "testing"}


class S3Server:
    """A server in a thread.

    Attributes
    ----------
    address
        Address of the server, ``http://127.0.0.1:<port>``.
    requests
        Number of requests so far: ``list`` and the methods of other requests.
    failures
        ``{path: statuses}``: status codes of the next answers for a path, such as ``/bucket/folder/a.tif``.
    refused
        Buckets that refuse access.
    """

    def __init__(self):
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.requests: Counter[str] = Counter()
        self.failures: dict[str, list[int]] = {}
        self.refused: set[str] = set()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for each request
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def options(self) -> dict:
        """Options of s3fs with which the server can be written to, as in credentials.yml."""
        return {**CREDENTIALS, "client_kwargs": {"endpoint_url": self.address}}

    def upload(self, folder: Path, address: str, public: bool = True) -> None:
        """Copy a folder to an address, which begins with the bucket. Anonymous users read only what is public."""
        import s3fs

        system = s3fs.S3FileSystem(
            **self.options, s3_additional_kwargs={"ACL": "public-read"} if public else {}, skip_instance_cache=True
        )
        bucket = address.partition("/")[0]
        if not system.exists(bucket):
            system.mkdir(bucket)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        system.put(
            [str(path) for path in files], [f"{address}/{path.relative_to(folder).as_posix()}" for path in files]
        )

    def remove(self, address: str) -> None:
        import s3fs

        s3fs.S3FileSystem(**self.options, skip_instance_cache=True).rm(address)

    def _answer(self, environ, start_response):
        path = environ["PATH_INFO"]
        with self._lock:
            listing = "list-type" in parse_qs(environ["QUERY_STRING"])
            self.requests["list" if listing else environ["REQUEST_METHOD"]] += 1
            failures = self.failures.get(path, [])
            status = failures.pop(0) if failures else 403 if path.split("/")[1] in self.refused else 0
        if status:
            code = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}[status]
            start_response(f"{status} {code}", [("Content-Type", "application/xml")])
            return [f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()]
        return self._app(environ, start_response)
