"""The Airflow version that DAG files and provider packages are told.

Providers branch on it, and the branch for 3.x needs less of Airflow's insides (see the provider experiment in the
project's notes): so a 3.x number, although both dialects work.
"""

version = "3.0.6"
