"""What happens: the scheduler's loop, the files, what people do, and what pages and commands ask for.

scheduler, outbox, launcher, monitor, recovery, history, lookout, retention, clock: the loop: decide (`core`), commit,
    act
files, logs, serverlog, childlog, dag_folder, measures, paths: what lies on disk
assembly, serve, listener, offline: the parts put together, for a server or for one command
actions: the one door for people. Its parts are mixins by what they are about: dags, runs, clearing, bulk, amends,
    answers, backfills, datasets, credentials, connection_forms, variable_forms, pool_use, records, favourites. They
    share lookup; audit notes what changes something
pages, dag_list, dag_rows, dag_pages, instance_pages, dataset_pages, backfill_pages, server_pages, browse, search: what
    pages read, as structs, and windows only; changes tells them when to look again
task_api: the door for running tasks
moments, params, jsonable, named, hiding: what goes in and out: dates, confs, rows, files of names, secrets
"""
