"""The connection types that Airflow's packages bring: their names, the package, and what their fields mean there.

The server imports no package, so this table stands for those that are not installed; an installed one says more by
itself (`worker.connection_child`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PACKAGES = "apache-airflow-providers-"


@dataclass(frozen=True, slots=True)
class ConnectionType:
    """What is known of a type. `hidden` and `labels` name fields of `core.connections.FIELDS`."""

    name: str
    package: str = ""  #: "" = needs none
    hidden: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    placeholders: Mapping[str, str] = field(default_factory=dict)


def _type(name: str, package: str, hidden: str = "", extra: str = "", **labels: str) -> ConnectionType:
    placeholders = {"extra": extra} if extra else {}
    return ConnectionType(name, PACKAGES + package if package else "", tuple(hidden.split()), labels, placeholders)


_NETWORK = "host port schema"
_ALL = "host port schema login password"

#: by conn_type
KNOWN: Mapping[str, ConnectionType] = {
    "fs": _type("File (path)", "", _ALL, '{"path": "/data"}'),
    "adls": _type("Azure Data Lake", "microsoft-azure", _NETWORK, login="Client ID", password="Client secret"),
    "airbyte": _type("Airbyte", "airbyte", "extra port", host="Server URL", schema="Token URL", login="Client ID"),
    "aws": _type(
        "Amazon Web Services",
        "amazon",
        _NETWORK,
        '{"region_name": "eu-west-1", "role_arn": "..."}',
        login="Access key ID",
        password="Secret access key",
    ),
    "azure_data_factory": _type("Azure Data Factory", "microsoft-azure", _NETWORK, login="Client ID"),
    "cassandra": _type("Cassandra", "apache-cassandra", schema="Keyspace"),
    "databricks": _type("Databricks", "databricks", "schema", '{"http_path": "..."}', password="Token"),
    "dbt_cloud": _type("dbt Cloud", "dbt-cloud", "port extra", host="Tenant", login="Account ID", password="API token"),
    "discord": _type("Discord", "discord", "login password schema port", '{"webhook_endpoint": "..."}'),
    "docker": _type("Docker", "docker", "schema", host="Registry URL", login="Username"),
    "drill": _type("Apache Drill", "apache-drill"),
    "druid": _type("Apache Druid", "apache-druid"),
    "elasticsearch": _type("Elasticsearch", "elasticsearch"),
    "facebook_social": _type("Facebook Ads", "facebook", _ALL),
    "ftp": _type("FTP", "ftp", "schema"),
    "gcpcloudsql": _type("Google Cloud SQL", "google"),
    "github": _type("GitHub", "github", "schema port login extra", host="URL of an Enterprise server"),
    "google_cloud_platform": _type(
        "Google Cloud", "google", _ALL, '{"project": "...", "key_path": "/path/to/key.json"}'
    ),
    "google_ads": _type("Google Ads", "google", _ALL),
    "grpc": _type("gRPC", "grpc"),
    "hdfs": _type("HDFS", "apache-hdfs"),
    "hive_cli": _type("Hive Client", "apache-hive"),
    "hive_metastore": _type("Hive Metastore", "apache-hive"),
    "hiveserver2": _type("Hive Server 2", "apache-hive"),
    "http": _type("HTTP", "http", "", '{"Accept": "application/json"}', host="Base URL", schema="Scheme"),
    "imap": _type("IMAP", "imap", "schema"),
    "impala": _type("Impala", "apache-impala"),
    "influxdb": _type("InfluxDB", "influxdb", "login password schema", '{"token": "...", "org_name": "..."}'),
    "jdbc": _type("JDBC", "jdbc", "port schema", host="Connection URL"),
    "jenkins": _type("Jenkins", "jenkins", "extra schema", login="Username", password="API token"),
    "jira": _type("Jira", "atlassian-jira"),
    "kafka": _type("Apache Kafka", "apache-kafka", _ALL, '{"bootstrap.servers": "host:9092"}'),
    "kubernetes": _type(
        "Kubernetes cluster", "cncf-kubernetes", _ALL, '{"kube_config_path": "...", "namespace": "..."}'
    ),
    "livy": _type("Apache Livy", "apache-livy"),
    "mongo": _type("MongoDB", "mongo", "", '{"srv": false}'),
    "mssql": _type("Microsoft SQL Server", "microsoft-mssql", schema="Database"),
    "mysql": _type("MySQL", "mysql", schema="Database"),
    "neo4j": _type("Neo4j", "neo4j", schema="Database"),
    "odbc": _type("ODBC", "odbc", schema="Database"),
    "opensearch": _type("OpenSearch", "opensearch"),
    "opsgenie": _type("Opsgenie", "opsgenie", "port schema login extra", password="API key"),
    "oracle": _type("Oracle", "oracle", "", '{"service_name": "..."}'),
    "pagerduty": _type("PagerDuty", "pagerduty", "port login schema host", password="API token"),
    "pinot": _type("Apache Pinot", "apache-pinot"),
    "postgres": _type("Postgres", "postgres", "", '{"sslmode": "require"}', schema="Database"),
    "presto": _type("Presto", "presto"),
    "redis": _type("Redis", "redis", "schema", '{"db": 0, "ssl": false}'),
    "redshift": _type("Amazon Redshift", "amazon", schema="Database", login="User"),
    "salesforce": _type("Salesforce", "salesforce", "host port schema", '{"security_token": "..."}'),
    "samba": _type("Samba", "samba", schema="Share"),
    "sftp": _type("SFTP", "sftp", "schema", '{"private_key": "...", "no_host_key_check": "false"}', login="Username"),
    "slack": _type("Slack API", "slack", "login port host schema", password="API token"),
    "slackwebhook": _type(
        "Slack incoming webhook",
        "slack",
        "login port",
        schema="Scheme",
        host="Webhook endpoint",
        password="Webhook token",
    ),
    "smtp": _type("SMTP", "smtp", "schema", '{"from_email": "...", "disable_ssl": false}'),
    "snowflake": _type(
        "Snowflake",
        "snowflake",
        "port host",
        '{"account": "...", "warehouse": "...", "database": "...", "role": "..."}',
    ),
    "spark": _type("Spark", "apache-spark", "schema login password", '{"queue": "...", "deploy-mode": "client"}'),
    "sqlite": _type("SQLite", "sqlite", "port login password schema", host="File"),
    "ssh": _type("SSH", "ssh", "schema", '{"key_file": "/path/to/key", "timeout": 10}', login="Username"),
    "tableau": _type("Tableau", "tableau"),
    "telegram": _type("Telegram", "telegram", "schema extra login port host", password="Token"),
    "teradata": _type("Teradata", "teradata", schema="Database"),
    "trino": _type("Trino", "trino", schema="Schema"),
    "vault": _type("Hashicorp Vault", "hashicorp", "extra", host="Vault host"),
    "vertica": _type("Vertica", "vertica", schema="Database"),
    "wasb": _type(
        "Azure Blob Storage",
        "microsoft-azure",
        "port schema",
        '{"tenant_id": "..."}',
        host="Account URL",
        login="Client ID",
    ),
    "weaviate": _type("Weaviate", "weaviate", "schema"),
    "yandexcloud": _type("Yandex Cloud", "yandex", _ALL),
    "zendesk": _type("Zendesk", "zendesk", "schema port extra", host="Domain", login="Email"),
}


def package_of(conn_type: str) -> str:
    """The package that knows a type; "" when none is known to us."""
    known = KNOWN.get(conn_type)
    return known.package if known else ""
