"""asyncflow: Airflow's DAG files, on one host, from one process."""

__version__ = "0.1.0"
