"""The addresses of pools, Connections and Variables."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from asyncflow.web import connection_pages, named_pages, pool_pages, variable_pages

ROUTES: Sequence[BaseRoute] = (
    Route("/pools", pool_pages.index, name="pools"),
    Route("/list/pools", pool_pages.table, name="pools_table"),
    Route("/list/pool", pool_pages.use, name="pool_use"),
    Route("/add/pool", pool_pages.add_form, name="add_pool_form"),
    Route("/add/pool", pool_pages.add, methods=["POST"], name="add_pool"),
    Route("/edit/pool", pool_pages.edit_form, name="edit_pool_form"),
    Route("/edit/pool", pool_pages.edit, methods=["POST"], name="edit_pool"),
    Route("/pools/{name:path}", pool_pages.show, name="pool"),
    Route("/connections", connection_pages.index, name="connections"),
    Route("/list/connections", connection_pages.table, name="connections_table"),
    Route("/add/connection", connection_pages.add_form, name="add_connection_form"),
    Route("/add/connection", connection_pages.add, methods=["POST"], name="add_connection"),
    Route("/test/connection", connection_pages.test, methods=["POST"], name="test_connection"),
    Route("/connections/{conn_id}", connection_pages.show, name="connection"),
    Route("/connections/{conn_id}", connection_pages.edit, methods=["POST"], name="edit_connection"),
    Route("/variables", variable_pages.index, name="variables"),
    Route("/list/variables", variable_pages.table, name="variables_table"),
    Route("/add/variable", variable_pages.add_form, name="add_variable_form"),
    Route("/add/variable", variable_pages.add, methods=["POST"], name="add_variable"),
    Route("/import/variables", variable_pages.import_form, name="import_variables_form"),
    Route("/import/variables/preview", variable_pages.preview, methods=["POST"], name="preview_variables"),
    Route("/import/variables", variable_pages.import_them, methods=["POST"], name="import_variables"),
    Route("/export/variables", variable_pages.export, methods=["POST"], name="export_variables"),
    Route("/variables/{key:path}", variable_pages.show, name="variable"),
    Route("/variables/{key:path}", variable_pages.edit, methods=["POST"], name="edit_variable"),
    Route("/delete/{kind}", named_pages.delete_form, name="delete_named_form"),
    Route("/delete/{kind}", named_pages.delete, methods=["POST"], name="delete_named"),
)
