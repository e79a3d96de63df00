"""The hook: pages through the ratings of an HTTP API."""

import json
from base64 import b64encode
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from airflow.hooks.base import BaseHook


class MoviesHook(BaseHook):
    """Ratings between two dates."""

    conn_name_attr = "conn_id"
    conn_type = "movies"
    hook_name = "Movies"
    DEFAULT_SCHEMA = "http"
    DEFAULT_PORT = 5000

    def __init__(self, conn_id):
        super().__init__()
        self._conn_id = conn_id
        self._session = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._session = None

    def get_conn(self):
        """(address, headers) of the API."""
        if self._session is None:
            config = self.get_connection(self._conn_id)
            if not config.host:
                raise ValueError(f"No host specified in connection {self._conn_id}")
            schema, port = config.schema or self.DEFAULT_SCHEMA, config.port or self.DEFAULT_PORT
            headers = {}
            if config.login:
                headers["Authorization"] = "Basic " + b64encode(f"{config.login}:{config.password}".encode()).decode()
            self._session = (f"{schema}://{config.host}:{port}", headers)
        return self._session

    def get_ratings(self, start_date, end_date, batch_size=100):
        """All ratings, page by page."""
        yield from self._pages("/ratings", {"start_date": start_date, "end_date": end_date}, batch_size)

    def _pages(self, endpoint, params, batch_size):
        address, headers = self.get_conn()
        offset, total = 0, None
        while total is None or offset < total:
            query = urlencode({**params, "offset": offset, "limit": batch_size})
            with urlopen(Request(f"{address}{endpoint}?{query}", headers=headers)) as response:
                page = json.load(response)
            yield from page["result"]
            offset, total = offset + batch_size, page["total"]
