"""The hook, against a web server in a thread, and with what it calls patched away."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.exceptions import AirflowNotFoundException
from airflow.hooks.base import BaseHook
from airflow.models import Connection
from airflow_movies.hook import MoviesHook

RATINGS = [{"movie": n % 3, "rating": 1 + n % 5} for n in range(7)]


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        body = json.dumps({"result": RATINGS[offset : offset + limit], "total": len(RATINGS)}).encode()
        self.server.seen.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    server = HTTPServer(("127.0.0.1", 0), Api)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_get_ratings_pages_through_all(web, mocker):
    mocker.patch.object(
        MoviesHook,
        "get_connection",
        return_value=Connection(
            conn_id="test", host="127.0.0.1", port=web.server_port, login="airflow", password="pw1"
        ),
    )
    with MoviesHook("test") as hook:
        assert list(hook.get_ratings("2024-01-01", "2024-01-02", batch_size=3)) == RATINGS
    assert web.seen == ["Basic YWlyZmxvdzpwdzE="] * 3


def test_connections_come_from_the_fixture(asyncflow_connections):
    asyncflow_connections["movies"] = "movies://api.test:8000"
    assert MoviesHook("movies").get_conn() == ("http://api.test:8000", {})
    asyncflow_connections["movies"] = {"conn_type": "movies", "extra": {"a": 1}}
    with pytest.raises(ValueError, match="No host specified"):
        MoviesHook("movies").get_conn()
    assert asyncflow_connections["movies"].extra_dejson == {"a": 1}


def test_connections_of_the_test_before_are_gone():
    with pytest.raises(AirflowNotFoundException):
        MoviesHook("movies").get_conn()


def test_connections_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MOVIES", "movies://from-environment")
    assert MoviesHook("movies").get_conn()[0] == "http://from-environment:5000"
    assert isinstance(BaseHook.get_hook("movies"), MoviesHook)
